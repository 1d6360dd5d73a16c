/* SPDX-License-Identifier: MIT */
/*
 * The public headers' layouts and values, as programs built for the board have
 * them compiled in. To compile this is the test; it is C, on LP64.
 */
#include <stddef.h>

#include <nvscierror.h>
#include <nvscievent.h>
#include <nvsciipc.h>

#define ASSERT(condition) _Static_assert(condition, #condition)

ASSERT(sizeof(void *) == 8);

ASSERT(sizeof(NvSciError) == 4);
/* All of them: programs switch on values that we never return. */
ASSERT(NvSciError_Success == 0x0);
ASSERT(NvSciError_Unknown == 0x1);
ASSERT(NvSciError_NotImplemented == 0x10);
ASSERT(NvSciError_NotSupported == 0x11);
ASSERT(NvSciError_AccessDenied == 0x20);
ASSERT(NvSciError_NotPermitted == 0x21);
ASSERT(NvSciError_InvalidState == 0x22);
ASSERT(NvSciError_InvalidOperation == 0x23);
ASSERT(NvSciError_NotInitialized == 0x24);
ASSERT(NvSciError_AlreadyInUse == 0x25);
ASSERT(NvSciError_AlreadyDone == 0x26);
ASSERT(NvSciError_NotYetAvailable == 0x27);
ASSERT(NvSciError_NoLongerAvailable == 0x28);
ASSERT(NvSciError_InsufficientMemory == 0x30);
ASSERT(NvSciError_InsufficientResource == 0x31);
ASSERT(NvSciError_ResourceError == 0x32);
ASSERT(NvSciError_BadParameter == 0x100);
ASSERT(NvSciError_BadAddress == 0x101);
ASSERT(NvSciError_TooBig == 0x102);
ASSERT(NvSciError_Overflow == 0x103);
ASSERT(NvSciError_InconsistentData == 0x104);
ASSERT(NvSciError_InsufficientData == 0x105);
ASSERT(NvSciError_IndexOutOfRange == 0x106);
ASSERT(NvSciError_ValueOutOfRange == 0x107);
ASSERT(NvSciError_Revalidation_Success == 0x108);
ASSERT(NvSciError_Timeout == 0x200);
ASSERT(NvSciError_TryItAgain == 0x201);
ASSERT(NvSciError_Busy == 0x202);
ASSERT(NvSciError_InterruptedCall == 0x203);
ASSERT(NvSciError_NoSuchDevice == 0x1000);
ASSERT(NvSciError_NoSpace == 0x1001);
ASSERT(NvSciError_NoSuchDevAddr == 0x1002);
ASSERT(NvSciError_IO == 0x1003);
ASSERT(NvSciError_InvalidIoctlNum == 0x1004);
ASSERT(NvSciError_NoSuchEntry == 0x1100);
ASSERT(NvSciError_BadFileDesc == 0x1101);
ASSERT(NvSciError_CorruptedFileSys == 0x1102);
ASSERT(NvSciError_FileExists == 0x1103);
ASSERT(NvSciError_IsDirectory == 0x1104);
ASSERT(NvSciError_ReadOnlyFileSys == 0x1105);
ASSERT(NvSciError_TextFileBusy == 0x1106);
ASSERT(NvSciError_FileNameTooLong == 0x1107);
ASSERT(NvSciError_FileTooBig == 0x1108);
ASSERT(NvSciError_TooManySymbolLinks == 0x1109);
ASSERT(NvSciError_TooManyOpenFiles == 0x110A);
ASSERT(NvSciError_FileTableOverflow == 0x110B);
ASSERT(NvSciError_EndOfFile == 0x110C);
ASSERT(NvSciError_ConnectionReset == 0x1200);
ASSERT(NvSciError_AlreadyInProgress == 0x1201);
ASSERT(NvSciError_NoData == 0x1202);
ASSERT(NvSciError_NoDesiredMessage == 0x1203);
ASSERT(NvSciError_MessageSize == 0x1204);
ASSERT(NvSciError_NoRemote == 0x1205);
ASSERT(NvSciError_NoSuchProcess == 0x2000);
ASSERT(NvSciError_MutexNotRecoverable == 0x2100);
ASSERT(NvSciError_LockOwnerDead == 0x2101);
ASSERT(NvSciError_ResourceDeadlock == 0x2102);
ASSERT(NvSciError_ReconciliationFailed == 0x10100);
ASSERT(NvSciError_AttrListValidationFailed == 0x10101);
ASSERT(NvSciError_ObjValidationFailed == 0x10102);
ASSERT(NvSciError_CommonEnd == 0xFFFFFF);
ASSERT(NvSciError_NvSciBufUnknown == 0x1000000);
ASSERT(NvSciError_NvSciBufEnd == 0x1FFFFFF);
ASSERT(NvSciError_NvSciSyncUnknown == 0x2000000);
ASSERT(NvSciError_UnsupportedConfig == 0x2000001);
ASSERT(NvSciError_ClearedFence == 0x2000002);
ASSERT(NvSciError_NvSciSyncEnd == 0x2FFFFFF);
ASSERT(NvSciError_NvSciStreamUnknown == 0x3000000);
ASSERT(NvSciError_StreamInternalError == 0x3000001);
ASSERT(NvSciError_StreamBadBlock == 0x3000100);
ASSERT(NvSciError_StreamBadPacket == 0x3000101);
ASSERT(NvSciError_StreamBadCookie == 0x3000102);
ASSERT(NvSciError_StreamNotConnected == 0x3000200);
ASSERT(NvSciError_StreamNotSetupPhase == 0x3000201);
ASSERT(NvSciError_StreamNotSafetyPhase == 0x3000202);
ASSERT(NvSciError_NoStreamPacket == 0x3001000);
ASSERT(NvSciError_StreamPacketInaccessible == 0x3001001);
ASSERT(NvSciError_StreamPacketDeleted == 0x3001002);
ASSERT(NvSciError_StreamInfoNotProvided == 0x3003000);
ASSERT(NvSciError_StreamLockFailed == 0x3400000);
ASSERT(NvSciError_StreamBadSrcIndex == 0x3800000);
ASSERT(NvSciError_StreamBadDstIndex == 0x3800001);
ASSERT(NvSciError_NvSciStreamEnd == 0x3FFFFFF);
ASSERT(NvSciError_NvSciIpcUnknown == 0x4000000);
ASSERT(NvSciError_PcieUncorrectableFatal == 0x4000001);
ASSERT(NvSciError_PcieUncorrectableNonFatal == 0x4000002);
ASSERT(NvSciError_PcieEdmaTransferErr == 0x4000003);
ASSERT(NvSciError_PcieValidationError == 0x4000004);
ASSERT(NvSciError_NvSciIpcEnd == 0x4FFFFFF);
ASSERT(NvSciError_NvSciEventUnknown == 0x5000000);
ASSERT(NvSciError_NvSciEventEnd == 0x5FFFFFF);

ASSERT(sizeof(NvSciIpcEndpoint) == 8);
ASSERT(sizeof(NvSciIpcEndpointInfo) == 8);
ASSERT(offsetof(struct NvSciIpcEndpointInfo, nframes) == 0);
ASSERT(offsetof(struct NvSciIpcEndpointInfo, frame_size) == 4);
ASSERT(NVSCIIPC_MAX_ENDPOINT_NAME == 64U);
ASSERT(NVSCIIPC_INFINITE_WAIT == -1LL);
ASSERT(sizeof(NVSCIIPC_INFINITE_WAIT) == 8);
ASSERT(NV_SCI_IPC_EVENT_READ == 0x01U);
ASSERT(NV_SCI_IPC_EVENT_WRITE == 0x02U);
ASSERT(NV_SCI_IPC_EVENT_CONN_EST == 0x04U);
ASSERT(NV_SCI_IPC_EVENT_CONN_RESET == 0x08U);
ASSERT(NV_SCI_IPC_EVENT_WRITE_EMPTY == 0x10U);
ASSERT(NV_SCI_IPC_EVENT_ASYNC_ERROR == 0x20U);
ASSERT(NV_SCI_IPC_EVENT_CONN_EST_ALL == 0x17U);
ASSERT(NV_SCI_ASYNC_PCIE_EDMA_XFER_ERROR == 0x1U);
ASSERT(NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_FATAL == 0x2U);
ASSERT(NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_NONFATAL == 0x4U);
ASSERT(NV_SCI_ASYNC_PCIE_VALIDATION_ERROR == 0x8U);

ASSERT(NV_SCI_EVENT_INFINITE_WAIT == -1);
ASSERT(NV_SCI_EVENT_PRIORITIES == 4);
ASSERT(sizeof(struct NvSciLocalEvent) == 24);
ASSERT(offsetof(struct NvSciLocalEvent, eventNotifier) == 0);
ASSERT(offsetof(struct NvSciLocalEvent, Signal) == 8);
ASSERT(offsetof(struct NvSciLocalEvent, Delete) == 16);
ASSERT(sizeof(struct NvSciEventService) == 32);
ASSERT(offsetof(struct NvSciEventService, CreateNativeEventNotifier) == 0);
ASSERT(offsetof(struct NvSciEventService, CreateLocalEvent) == 8);
ASSERT(offsetof(struct NvSciEventService, CreateTimerEvent) == 16);
ASSERT(offsetof(struct NvSciEventService, Delete) == 24);
ASSERT(sizeof(struct NvSciEventNotifier) == 16);
ASSERT(offsetof(struct NvSciEventNotifier, SetHandler) == 0);
ASSERT(offsetof(struct NvSciEventNotifier, Delete) == 8);
ASSERT(sizeof(struct NvSciEventLoopService) == 64);
ASSERT(offsetof(struct NvSciEventLoopService, EventService) == 0);
ASSERT(offsetof(struct NvSciEventLoopService, CreateEventLoop) == 32);
ASSERT(offsetof(struct NvSciEventLoopService, WaitForEvent) == 40);
ASSERT(offsetof(struct NvSciEventLoopService, WaitForMultipleEvents) == 48);
ASSERT(offsetof(struct NvSciEventLoopService, WaitForMultipleEventsExt) == 56);

/* What a function, or a struct's member, takes and returns. */
#define ASSERT_TYPE(value, ...) \
    ASSERT(_Generic((value), __VA_ARGS__: 1, default: 0))

ASSERT_TYPE((NvSciIpcEndpoint)0, uint64_t);
ASSERT_TYPE(((NvSciIpcEndpointInfo *)0)->nframes, uint32_t);
ASSERT_TYPE(((NvSciIpcEndpointInfo *)0)->frame_size, uint32_t);
ASSERT_TYPE(&NvSciIpcMajorVersion, const uint32_t *);
ASSERT_TYPE(&NvSciIpcMinorVersion, const uint32_t *);
ASSERT_TYPE(&NvSciEventMajorVersion, const uint32_t *);
ASSERT_TYPE(&NvSciEventMinorVersion, const uint32_t *);

ASSERT_TYPE(NvSciIpcInit, NvSciError (*)(void));
ASSERT_TYPE(NvSciIpcDeinit, void (*)(void));
ASSERT_TYPE(NvSciIpcOpenEndpoint,
            NvSciError (*)(const char *, NvSciIpcEndpoint *));
ASSERT_TYPE(NvSciIpcOpenEndpointWithEventService,
            NvSciError (*)(const char *, NvSciIpcEndpoint *,
                           NvSciEventService *));
ASSERT_TYPE(NvSciIpcGetEventNotifier,
            NvSciError (*)(NvSciIpcEndpoint, NvSciEventNotifier **));
ASSERT_TYPE(NvSciIpcCloseEndpoint, void (*)(NvSciIpcEndpoint));
ASSERT_TYPE(NvSciIpcCloseEndpointSafe, NvSciError (*)(NvSciIpcEndpoint, bool));
ASSERT_TYPE(NvSciIpcResetEndpoint, void (*)(NvSciIpcEndpoint));
ASSERT_TYPE(NvSciIpcResetEndpointSafe, NvSciError (*)(NvSciIpcEndpoint));
ASSERT_TYPE(NvSciIpcRead,
            NvSciError (*)(NvSciIpcEndpoint, void *, size_t, int32_t *));
ASSERT_TYPE(NvSciIpcReadSafe,
            NvSciError (*)(NvSciIpcEndpoint, void *, uint32_t, uint32_t *));
ASSERT_TYPE(NvSciIpcReadGetNextFrame,
            NvSciError (*)(NvSciIpcEndpoint, const volatile void **));
ASSERT_TYPE(NvSciIpcReadAdvance, NvSciError (*)(NvSciIpcEndpoint));
ASSERT_TYPE(NvSciIpcWrite,
            NvSciError (*)(NvSciIpcEndpoint, const void *, size_t, int32_t *));
ASSERT_TYPE(NvSciIpcWriteSafe,
            NvSciError (*)(NvSciIpcEndpoint, const void *, uint32_t,
                           uint32_t *));
ASSERT_TYPE(NvSciIpcWriteGetNextFrame,
            NvSciError (*)(NvSciIpcEndpoint, volatile void **));
ASSERT_TYPE(NvSciIpcWriteAdvance, NvSciError (*)(NvSciIpcEndpoint));
ASSERT_TYPE(NvSciIpcGetEndpointInfo,
            NvSciError (*)(NvSciIpcEndpoint, NvSciIpcEndpointInfo *));
ASSERT_TYPE(NvSciIpcGetLinuxEventFd,
            NvSciError (*)(NvSciIpcEndpoint, int32_t *));
ASSERT_TYPE(NvSciIpcGetEvent, NvSciError (*)(NvSciIpcEndpoint, uint32_t *));
ASSERT_TYPE(NvSciIpcGetEventSafe,
            NvSciError (*)(NvSciIpcEndpoint, uint32_t *));
ASSERT_TYPE(NvSciIpcGetAsyncErrors,
            NvSciError (*)(NvSciIpcEndpoint, uint32_t *));
ASSERT_TYPE(NvSciIpcEnableNotification,
            NvSciError (*)(NvSciIpcEndpoint, bool));
ASSERT_TYPE(NvSciIpcCheckVersionCompatibility,
            NvSciError (*)(uint32_t, uint32_t, bool *));
ASSERT_TYPE(NvSciEventLoopServiceCreate,
            NvSciError (*)(size_t, NvSciEventLoopService **));
ASSERT_TYPE(NvSciEventLoopServiceCreateSafe,
            NvSciError (*)(size_t, void *, NvSciEventLoopService **));
ASSERT_TYPE(NvSciEventLoopServiceCreateSafeX,
            NvSciError (*)(size_t, void *, NvSciEventLoopService **));
ASSERT_TYPE(NvSciEventMoveNotifier,
            NvSciError (*)(NvSciEventService *, NvSciEventService *,
                           NvSciEventNotifier *));
ASSERT_TYPE(NvSciEventCheckVersionCompatibility,
            NvSciError (*)(uint32_t, uint32_t, bool *));

ASSERT_TYPE(((NvSciLocalEvent *)0)->eventNotifier, NvSciEventNotifier *);
ASSERT_TYPE(((NvSciEventLoopService *)0)->EventService, NvSciEventService);
ASSERT_TYPE(((NvSciLocalEvent *)0)->Signal, NvSciError (*)(NvSciLocalEvent *));
ASSERT_TYPE(((NvSciLocalEvent *)0)->Delete, void (*)(NvSciLocalEvent *));
ASSERT_TYPE(((NvSciEventService *)0)->CreateNativeEventNotifier,
            NvSciError (*)(NvSciEventService *, NvSciNativeEvent *,
                           NvSciEventNotifier **));
ASSERT_TYPE(((NvSciEventService *)0)->CreateLocalEvent,
            NvSciError (*)(NvSciEventService *, NvSciLocalEvent **));
ASSERT_TYPE(((NvSciEventService *)0)->CreateTimerEvent,
            NvSciError (*)(NvSciEventService *, NvSciTimerEvent **));
ASSERT_TYPE(((NvSciEventService *)0)->Delete, void (*)(NvSciEventService *));
ASSERT_TYPE(((NvSciEventNotifier *)0)->SetHandler,
            NvSciError (*)(NvSciEventNotifier *, void (*)(void *), void *,
                           uint32_t));
ASSERT_TYPE(((NvSciEventNotifier *)0)->Delete, void (*)(NvSciEventNotifier *));
ASSERT_TYPE(((NvSciEventLoopService *)0)->CreateEventLoop,
            NvSciError (*)(NvSciEventLoopService *, NvSciEventLoop **));
ASSERT_TYPE(((NvSciEventLoopService *)0)->WaitForEvent,
            NvSciError (*)(NvSciEventNotifier *, int64_t));
ASSERT_TYPE(((NvSciEventLoopService *)0)->WaitForMultipleEvents,
            NvSciError (*)(NvSciEventNotifier *const *, size_t, int64_t,
                           bool *));
ASSERT_TYPE(((NvSciEventLoopService *)0)->WaitForMultipleEventsExt,
            NvSciError (*)(NvSciEventService *, NvSciEventNotifier *const *,
                           size_t, int64_t, bool *));
