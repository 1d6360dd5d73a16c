/* SPDX-License-Identifier: MIT */
/*
 * The error codes of all NvSci libraries. The values are ABI.
 *
 * What a code means for a call stands with the call, in nvsciipc.h and
 * nvscievent.h. Many values belong to libraries that are not part of this
 * project; they are here because applications name them.
 */
#ifndef INCLUDED_NVSCIERROR_H
#define INCLUDED_NVSCIERROR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum NvSciErrorRec {
    /* General. */
    /** The call did what it was asked. */
    NvSciError_Success = 0x0,
    /** A fault that no other value describes. */
    NvSciError_Unknown = 0x1,

    /* Not there. */
    NvSciError_NotImplemented = 0x10,
    /** Not for this endpoint, or not here. */
    NvSciError_NotSupported = 0x11,

    /* Permission and state. */
    NvSciError_AccessDenied = 0x20,
    /** No right to do that. */
    NvSciError_NotPermitted = 0x21,
    /** Not in this state. */
    NvSciError_InvalidState = 0x22,
    NvSciError_InvalidOperation = 0x23,
    /** The library is not initialised. */
    NvSciError_NotInitialized = 0x24,
    NvSciError_AlreadyInUse = 0x25,
    NvSciError_AlreadyDone = 0x26,
    NvSciError_NotYetAvailable = 0x27,
    NvSciError_NoLongerAvailable = 0x28,

    /* Resources. */
    /** No memory; of a queue: nothing to read, or no space. */
    NvSciError_InsufficientMemory = 0x30,
    /** A limit is reached. */
    NvSciError_InsufficientResource = 0x31,
    NvSciError_ResourceError = 0x32,

    /* Arguments. */
    /** An argument is wrong. */
    NvSciError_BadParameter = 0x100,
    NvSciError_BadAddress = 0x101,
    NvSciError_TooBig = 0x102,
    NvSciError_Overflow = 0x103,
    /** What was found contradicts itself. */
    NvSciError_InconsistentData = 0x104,
    NvSciError_InsufficientData = 0x105,
    NvSciError_IndexOutOfRange = 0x106,
    NvSciError_ValueOutOfRange = 0x107,
    NvSciError_Revalidation_Success = 0x108,

    /* Time. */
    /** The time is over. */
    NvSciError_Timeout = 0x200,
    NvSciError_TryItAgain = 0x201,
    /** Held by somebody else. */
    NvSciError_Busy = 0x202,
    /** A signal came. */
    NvSciError_InterruptedCall = 0x203,

    /* Devices. */
    NvSciError_NoSuchDevice = 0x1000,
    NvSciError_NoSpace = 0x1001,
    NvSciError_NoSuchDevAddr = 0x1002,
    NvSciError_IO = 0x1003,
    NvSciError_InvalidIoctlNum = 0x1004,

    /* Files. */
    /** No such name. */
    NvSciError_NoSuchEntry = 0x1100,
    NvSciError_BadFileDesc = 0x1101,
    NvSciError_CorruptedFileSys = 0x1102,
    NvSciError_FileExists = 0x1103,
    NvSciError_IsDirectory = 0x1104,
    NvSciError_ReadOnlyFileSys = 0x1105,
    NvSciError_TextFileBusy = 0x1106,
    NvSciError_FileNameTooLong = 0x1107,
    NvSciError_FileTooBig = 0x1108,
    NvSciError_TooManySymbolLinks = 0x1109,
    NvSciError_TooManyOpenFiles = 0x110A,
    NvSciError_FileTableOverflow = 0x110B,
    NvSciError_EndOfFile = 0x110C,

    /* Communication. */
    /** The channel is not established. */
    NvSciError_ConnectionReset = 0x1200,
    NvSciError_AlreadyInProgress = 0x1201,
    NvSciError_NoData = 0x1202,
    NvSciError_NoDesiredMessage = 0x1203,
    NvSciError_MessageSize = 0x1204,
    NvSciError_NoRemote = 0x1205,

    /* Processes. */
    NvSciError_NoSuchProcess = 0x2000,

    /* Locks. */
    NvSciError_MutexNotRecoverable = 0x2100,
    NvSciError_LockOwnerDead = 0x2101,
    NvSciError_ResourceDeadlock = 0x2102,

    /* Attributes and objects. */
    NvSciError_ReconciliationFailed = 0x10100,
    NvSciError_AttrListValidationFailed = 0x10101,
    NvSciError_ObjValidationFailed = 0x10102,

    /* End of what all libraries share. */
    NvSciError_CommonEnd = 0xFFFFFF,

    /* NvSciBuf. */
    NvSciError_NvSciBufUnknown = 0x1000000,
    NvSciError_NvSciBufEnd = 0x1FFFFFF,

    /* NvSciSync. */
    NvSciError_NvSciSyncUnknown = 0x2000000,
    NvSciError_UnsupportedConfig = 0x2000001,
    NvSciError_ClearedFence = 0x2000002,
    NvSciError_NvSciSyncEnd = 0x2FFFFFF,

    /* NvSciStream. */
    NvSciError_NvSciStreamUnknown = 0x3000000,
    NvSciError_StreamInternalError = 0x3000001,
    NvSciError_StreamBadBlock = 0x3000100,
    NvSciError_StreamBadPacket = 0x3000101,
    NvSciError_StreamBadCookie = 0x3000102,
    NvSciError_StreamNotConnected = 0x3000200,
    NvSciError_StreamNotSetupPhase = 0x3000201,
    NvSciError_StreamNotSafetyPhase = 0x3000202,
    NvSciError_NoStreamPacket = 0x3001000,
    NvSciError_StreamPacketInaccessible = 0x3001001,
    NvSciError_StreamPacketDeleted = 0x3001002,
    NvSciError_StreamInfoNotProvided = 0x3003000,
    NvSciError_StreamLockFailed = 0x3400000,
    NvSciError_StreamBadSrcIndex = 0x3800000,
    NvSciError_StreamBadDstIndex = 0x3800001,
    NvSciError_NvSciStreamEnd = 0x3FFFFFF,

    /* NvSciIpc. */
    NvSciError_NvSciIpcUnknown = 0x4000000,
    NvSciError_PcieUncorrectableFatal = 0x4000001,
    NvSciError_PcieUncorrectableNonFatal = 0x4000002,
    NvSciError_PcieEdmaTransferErr = 0x4000003,
    NvSciError_PcieValidationError = 0x4000004,
    NvSciError_NvSciIpcEnd = 0x4FFFFFF,

    /* NvSciEvent. */
    NvSciError_NvSciEventUnknown = 0x5000000,
    NvSciError_NvSciEventEnd = 0x5FFFFFF
} NvSciError;

#ifdef __cplusplus
}
#endif

#endif
