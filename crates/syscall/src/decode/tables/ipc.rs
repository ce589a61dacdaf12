//! Constants of System V's means of communication.

use crate::decode::xlat::xlat;

xlat! {
    pub(crate) SEMCTL "SEM_???" {
        IPC_RMID 0, IPC_SET 1, IPC_STAT 2, IPC_INFO 3, GETPID 0xb, GETVAL 0xc, GETALL 0xd, GETNCNT
        0xe, GETZCNT 0xf, SETVAL 0x10, SETALL 0x11, SEM_STAT 0x12, SEM_INFO 0x13, SEM_STAT_ANY 0x14
    }
    pub(crate) SHMCTL "SHM_???" {
        IPC_RMID 0, IPC_SET 1, IPC_STAT 2, IPC_INFO 3, SHM_LOCK 0xb, SHM_UNLOCK 0xc, SHM_STAT 0xd,
        SHM_INFO 0xe, SHM_STAT_ANY 0xf
    }
    pub(crate) MSGCTL "MSG_???" {
        IPC_RMID 0, IPC_SET 1, IPC_STAT 2, IPC_INFO 3, MSG_STAT 0xb, MSG_INFO 0xc, MSG_STAT_ANY 0xd
    }
    pub(crate) SHMAT "SHM_???" {
        SHM_RDONLY 0x1000, SHM_RND 0x2000, SHM_REMAP 0x4000, SHM_EXEC 0x8000
    }
    pub(crate) MSGRCV "MSG_???" {
        MSG_NOERROR 0x1000, MSG_EXCEPT 0x2000, MSG_COPY 0x4000, IPC_NOWAIT 0x800
    }
}
