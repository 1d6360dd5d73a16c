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
ASSERT(NvSciError_Success == 0x0);
ASSERT(NvSciError_Unknown == 0x1);
ASSERT(NvSciError_NotImplemented == 0x10);
ASSERT(NvSciError_NotSupported == 0x11);
ASSERT(NvSciError_NotPermitted == 0x21);
ASSERT(NvSciError_InvalidState == 0x22);
ASSERT(NvSciError_NotInitialized == 0x24);
ASSERT(NvSciError_InsufficientMemory == 0x30);
ASSERT(NvSciError_InsufficientResource == 0x31);
ASSERT(NvSciError_BadParameter == 0x100);
ASSERT(NvSciError_InconsistentData == 0x104);
ASSERT(NvSciError_Revalidation_Success == 0x108);
ASSERT(NvSciError_Timeout == 0x200);
ASSERT(NvSciError_Busy == 0x202);
ASSERT(NvSciError_InterruptedCall == 0x203);
ASSERT(NvSciError_IO == 0x1003);
ASSERT(NvSciError_NoSuchEntry == 0x1100);
ASSERT(NvSciError_IsDirectory == 0x1104);
ASSERT(NvSciError_FileTooBig == 0x1108);
ASSERT(NvSciError_TooManyOpenFiles == 0x110A);
ASSERT(NvSciError_FileTableOverflow == 0x110B);
ASSERT(NvSciError_EndOfFile == 0x110C);
ASSERT(NvSciError_ConnectionReset == 0x1200);
ASSERT(NvSciError_NoRemote == 0x1205);
ASSERT(NvSciError_NoSuchProcess == 0x2000);
ASSERT(NvSciError_ResourceDeadlock == 0x2102);
ASSERT(NvSciError_ObjValidationFailed == 0x10102);
ASSERT(NvSciError_CommonEnd == 0xFFFFFF);
ASSERT(NvSciError_NvSciBufEnd == 0x1FFFFFF);
ASSERT(NvSciError_ClearedFence == 0x2000002);
ASSERT(NvSciError_StreamInternalError == 0x3000001);
ASSERT(NvSciError_StreamBadDstIndex == 0x3800001);
ASSERT(NvSciError_NvSciStreamEnd == 0x3FFFFFF);
ASSERT(NvSciError_PcieValidationError == 0x4000004);
ASSERT(NvSciError_NvSciIpcEnd == 0x4FFFFFF);
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
