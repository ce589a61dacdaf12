//! Constants of netlink: types of messages and of attributes, and their flags.

use crate::decode::xlat::xlat;

xlat! {
    pub(crate) CONTROL "NLMSG_???" { NLMSG_NOOP 1, NLMSG_ERROR 2, NLMSG_DONE 3, NLMSG_OVERRUN 4 }
    pub(crate) ROUTE "RTM_???" {
        RTM_NEWLINK 16, RTM_DELLINK 17, RTM_GETLINK 18, RTM_SETLINK 19, RTM_NEWADDR 20, RTM_DELADDR 21, RTM_GETADDR 22,
        RTM_NEWROUTE 24, RTM_DELROUTE 25, RTM_GETROUTE 26, RTM_NEWNEIGH 28, RTM_DELNEIGH 29, RTM_GETNEIGH 30,
        RTM_NEWRULE 32, RTM_DELRULE 33, RTM_GETRULE 34, RTM_NEWQDISC 36, RTM_DELQDISC 37, RTM_GETQDISC 38,
        RTM_NEWTCLASS 40, RTM_DELTCLASS 41, RTM_GETTCLASS 42, RTM_NEWTFILTER 44, RTM_DELTFILTER 45, RTM_GETTFILTER 46,
        RTM_NEWACTION 48, RTM_DELACTION 49, RTM_GETACTION 50, RTM_NEWPREFIX 52, RTM_GETMULTICAST 58, RTM_GETANYCAST 62,
        RTM_NEWNEIGHTBL 64, RTM_GETNEIGHTBL 66, RTM_SETNEIGHTBL 67, RTM_NEWNDUSEROPT 68, RTM_NEWADDRLABEL 72,
        RTM_DELADDRLABEL 73, RTM_GETADDRLABEL 74, RTM_GETDCB 78, RTM_SETDCB 79, RTM_NEWNETCONF 80, RTM_DELNETCONF 81,
        RTM_GETNETCONF 82, RTM_NEWMDB 84, RTM_DELMDB 85, RTM_GETMDB 86, RTM_NEWNSID 88, RTM_DELNSID 89, RTM_GETNSID 90,
        RTM_NEWSTATS 92, RTM_GETSTATS 94, RTM_NEWCHAIN 100, RTM_DELCHAIN 101, RTM_GETCHAIN 102, RTM_NEWNEXTHOP 104,
        RTM_DELNEXTHOP 105, RTM_GETNEXTHOP 106
    }
    pub(crate) DIAG "SOCK_DIAG_???" {
        TCPDIAG_GETSOCK 18, DCCPDIAG_GETSOCK 19, SOCK_DIAG_BY_FAMILY 20, SOCK_DESTROY 21
    }
    pub(crate) NONE "NLMSG_???" {}
    pub(crate) PLAIN_FLAGS "NLM_F_???" {
        NLM_F_REQUEST 1, NLM_F_MULTI 2, NLM_F_ACK 4, NLM_F_ECHO 8, NLM_F_DUMP_INTR 0x10, NLM_F_DUMP_FILTERED 0x20
    }
    pub(crate) ACK_FLAGS "NLM_F_???" {
        NLM_F_REQUEST 1, NLM_F_MULTI 2, NLM_F_ACK 4, NLM_F_ECHO 8, NLM_F_DUMP_INTR 0x10, NLM_F_DUMP_FILTERED 0x20,
        NLM_F_CAPPED 0x100, NLM_F_ACK_TLVS 0x200
    }
    pub(crate) NEW_FLAGS "NLM_F_???" {
        NLM_F_REQUEST 1, NLM_F_MULTI 2, NLM_F_ACK 4, NLM_F_ECHO 8, NLM_F_DUMP_INTR 0x10, NLM_F_DUMP_FILTERED 0x20,
        NLM_F_REPLACE 0x100, NLM_F_EXCL 0x200, NLM_F_CREATE 0x400, NLM_F_APPEND 0x800
    }
    pub(crate) DELETE_FLAGS "NLM_F_???" {
        NLM_F_REQUEST 1, NLM_F_MULTI 2, NLM_F_ACK 4, NLM_F_ECHO 8, NLM_F_DUMP_INTR 0x10, NLM_F_DUMP_FILTERED 0x20,
        NLM_F_NONREC 0x100
    }
    pub(crate) GET_FLAGS "NLM_F_???" {
        NLM_F_REQUEST 1, NLM_F_MULTI 2, NLM_F_ACK 4, NLM_F_ECHO 8, NLM_F_DUMP_INTR 0x10, NLM_F_DUMP_FILTERED 0x20,
        NLM_F_DUMP 0x300, NLM_F_ROOT 0x100, NLM_F_MATCH 0x200, NLM_F_ATOMIC 0x400
    }
    pub(crate) SCOPE "RT_SCOPE_???" {
        RT_SCOPE_UNIVERSE 0, RT_SCOPE_SITE 200, RT_SCOPE_LINK 253, RT_SCOPE_HOST 254, RT_SCOPE_NOWHERE 255
    }
    pub(crate) ADDRESS_FLAGS "IFA_F_???" {
        IFA_F_SECONDARY 1, IFA_F_NODAD 2, IFA_F_OPTIMISTIC 4, IFA_F_DADFAILED 8, IFA_F_HOMEADDRESS 16, IFA_F_DEPRECATED 32,
        IFA_F_TENTATIVE 64, IFA_F_PERMANENT 128, IFA_F_MANAGETEMPADDR 256, IFA_F_NOPREFIXROUTE 512, IFA_F_MCAUTOJOIN 1024,
        IFA_F_STABLE_PRIVACY 2048
    }
    pub(crate) TABLE_ID "RT_TABLE_???" {
        RT_TABLE_UNSPEC 0, RT_TABLE_COMPAT 252, RT_TABLE_DEFAULT 253, RT_TABLE_MAIN 254, RT_TABLE_LOCAL 255
    }
    pub(crate) ROUTE_PROTOCOL "RTPROT_???" {
        RTPROT_UNSPEC 0, RTPROT_REDIRECT 1, RTPROT_KERNEL 2, RTPROT_BOOT 3, RTPROT_STATIC 4, RTPROT_GATED 8, RTPROT_RA 9,
        RTPROT_MRT 10, RTPROT_ZEBRA 11, RTPROT_BIRD 12, RTPROT_DNROUTED 13, RTPROT_XORP 14, RTPROT_NTK 15, RTPROT_DHCP 16,
        RTPROT_MROUTED 17, RTPROT_KEEPALIVED 18, RTPROT_BABEL 42
    }
    pub(crate) ROUTE_TYPE "RTN_???" {
        RTN_UNSPEC 0, RTN_UNICAST 1, RTN_LOCAL 2, RTN_BROADCAST 3, RTN_ANYCAST 4, RTN_MULTICAST 5, RTN_BLACKHOLE 6,
        RTN_UNREACHABLE 7, RTN_PROHIBIT 8, RTN_THROW 9, RTN_NAT 10, RTN_XRESOLVE 11
    }
    pub(crate) ROUTE_FLAGS "RTM_F_???" {
        RTNH_F_DEAD 1, RTNH_F_PERVASIVE 2, RTNH_F_ONLINK 4, RTNH_F_OFFLOAD 8, RTNH_F_LINKDOWN 16, RTNH_F_UNRESOLVED 32,
        RTM_F_NOTIFY 0x100, RTM_F_CLONED 0x200, RTM_F_EQUALIZE 0x400, RTM_F_PREFIX 0x800, RTM_F_LOOKUP_TABLE 0x1000,
        RTM_F_FIB_MATCH 0x2000
    }
    pub(crate) NEIGHBOUR_STATE "NUD_???" {
        NUD_NONE 0, NUD_INCOMPLETE 1, NUD_REACHABLE 2, NUD_STALE 4, NUD_DELAY 8, NUD_PROBE 16, NUD_FAILED 32, NUD_NOARP 64,
        NUD_PERMANENT 128
    }
    pub(crate) NEIGHBOUR_FLAGS "NTF_???" {
        NTF_USE 1, NTF_SELF 2, NTF_MASTER 4, NTF_PROXY 8, NTF_EXT_LEARNED 16, NTF_OFFLOADED 32, NTF_STICKY 64, NTF_ROUTER 128
    }
    pub(crate) LINK_FILTER "RTEXT_FILTER_???" {
        RTEXT_FILTER_VF 1, RTEXT_FILTER_BRVLAN 2, RTEXT_FILTER_BRVLAN_COMPRESSED 4, RTEXT_FILTER_SKIP_STATS 8,
        RTEXT_FILTER_MRP 16, RTEXT_FILTER_CFM_CONFIG 32, RTEXT_FILTER_CFM_STATUS 64
    }
    pub(crate) INET_EXTENSIONS "1<<(INET_DIAG_???-1)" {}
    pub(crate) STATE "TCP_???" {
        TCP_ESTABLISHED 1, TCP_SYN_SENT 2, TCP_SYN_RECV 3, TCP_FIN_WAIT1 4, TCP_FIN_WAIT2 5, TCP_TIME_WAIT 6, TCP_CLOSE 7,
        TCP_CLOSE_WAIT 8, TCP_LAST_ACK 9, TCP_LISTEN 10, TCP_CLOSING 11
    }
    pub(crate) UNIX_SHOW "UDIAG_SHOW_???" {
        UDIAG_SHOW_NAME 1, UDIAG_SHOW_VFS 2, UDIAG_SHOW_PEER 4, UDIAG_SHOW_ICONS 8, UDIAG_SHOW_RQLEN 16, UDIAG_SHOW_MEMINFO 32,
        UDIAG_SHOW_UID 64
    }
    pub(crate) NETLINK_SHOW "NDIAG_SHOW_???" { NDIAG_SHOW_MEMINFO 1, NDIAG_SHOW_GROUPS 2, NDIAG_SHOW_RING_CFG 4, NDIAG_SHOW_FLAGS 8 }
}

/// What an attribute holds.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    /// Bytes, of which nothing more is known.
    Bytes,
    /// Numbers.
    U8,
    /// Of 16 bits.
    U16,
    /// Of 32 bits.
    U32,
    /// Of 64 bits.
    U64,
    /// Text up to a zero byte.
    Text,
    /// An address of hardware.
    Hardware,
    /// An address of the family of the message.
    Inet,
    /// A network interface.
    Interface,
    /// Flags.
    Flags(&'static crate::decode::xlat::Table),
    /// A value.
    Choice(&'static crate::decode::xlat::Table),
    /// `struct ifa_cacheinfo`.
    AddressCache,
    /// `struct nda_cacheinfo`.
    NeighbourCache,
    /// Counters of `struct rtnl_link_stats`, so many bytes each.
    Counters(usize),
    /// `struct rtnl_link_ifmap`.
    Map,
    /// Attributes.
    Nested(&'static Attributes),
    /// `struct inet_diag_meminfo`.
    InetMemory,
    /// `struct unix_diag_rqlen`.
    UnixQueues,
    /// An array of numbers named by their places.
    Named(&'static crate::decode::xlat::Table),
}

/// The attributes of a kind of message.
pub(crate) struct Attributes {
    /// Type, name, content.
    pub rows: &'static [(u16, &'static str, Holds)],
    /// What is said of a type without a name.
    pub unknown: &'static str,
}

use Holds::*;

pub(crate) const LINK: Attributes = Attributes {
    rows: &[
        (1, "IFLA_ADDRESS", Hardware),
        (2, "IFLA_BROADCAST", Hardware),
        (3, "IFLA_IFNAME", Text),
        (4, "IFLA_MTU", U32),
        (5, "IFLA_LINK", U32),
        (6, "IFLA_QDISC", Text),
        (7, "IFLA_STATS", Counters(4)),
        (10, "IFLA_MASTER", U32),
        (13, "IFLA_TXQLEN", U32),
        (14, "IFLA_MAP", Map),
        (15, "IFLA_WEIGHT", U32),
        (16, "IFLA_OPERSTATE", U8),
        (17, "IFLA_LINKMODE", U8),
        (18, "IFLA_LINKINFO", Nested(&LINK_INFO)),
        (19, "IFLA_NET_NS_PID", U32),
        (20, "IFLA_IFALIAS", Text),
        (21, "IFLA_NUM_VF", U32),
        (23, "IFLA_STATS64", Counters(8)),
        (26, "IFLA_AF_SPEC", Bytes),
        (27, "IFLA_GROUP", U32),
        (28, "IFLA_NET_NS_FD", U32),
        (29, "IFLA_EXT_MASK", Flags(&LINK_FILTER)),
        (30, "IFLA_PROMISCUITY", U32),
        (31, "IFLA_NUM_TX_QUEUES", U32),
        (32, "IFLA_NUM_RX_QUEUES", U32),
        (33, "IFLA_CARRIER", U8),
        (34, "IFLA_PHYS_PORT_ID", Bytes),
        (35, "IFLA_CARRIER_CHANGES", U32),
        (36, "IFLA_PHYS_SWITCH_ID", Bytes),
        (37, "IFLA_LINK_NETNSID", U32),
        (38, "IFLA_PHYS_PORT_NAME", Text),
        (39, "IFLA_PROTO_DOWN", U8),
        (40, "IFLA_GSO_MAX_SEGS", U32),
        (41, "IFLA_GSO_MAX_SIZE", U32),
        (43, "IFLA_XDP", Nested(&XDP)),
        (44, "IFLA_EVENT", U32),
        (47, "IFLA_CARRIER_UP_COUNT", U32),
        (48, "IFLA_CARRIER_DOWN_COUNT", U32),
        (50, "IFLA_MIN_MTU", U32),
        (51, "IFLA_MAX_MTU", U32),
        (52, "IFLA_PROP_LIST", Bytes),
        (53, "IFLA_ALT_IFNAME", Text),
        (54, "IFLA_PERM_ADDRESS", Hardware),
        (55, "IFLA_PROTO_DOWN_REASON", Bytes),
        (56, "IFLA_PARENT_DEV_NAME", Text),
        (57, "IFLA_PARENT_DEV_BUS_NAME", Text),
        (58, "IFLA_GRO_MAX_SIZE", U32),
        (59, "IFLA_TSO_MAX_SIZE", U32),
        (60, "IFLA_TSO_MAX_SEGS", U32),
        (61, "IFLA_ALLMULTI", U32),
    ],
    unknown: "IFLA_???",
};

const LINK_INFO: Attributes = Attributes {
    rows: &[
        (1, "IFLA_INFO_KIND", Text),
        (2, "IFLA_INFO_DATA", Bytes),
        (3, "IFLA_INFO_XSTATS", Bytes),
        (4, "IFLA_INFO_SLAVE_KIND", Text),
        (5, "IFLA_INFO_SLAVE_DATA", Bytes),
    ],
    unknown: "IFLA_INFO_???",
};

const XDP: Attributes = Attributes {
    rows: &[(2, "IFLA_XDP_ATTACHED", Choice(&XDP_ATTACHED)), (4, "IFLA_XDP_PROG_ID", U32)],
    unknown: "IFLA_XDP_???",
};

xlat! {
    XDP_ATTACHED "XDP_ATTACHED_???" {
        XDP_ATTACHED_NONE 0, XDP_ATTACHED_DRV 1, XDP_ATTACHED_SKB 2, XDP_ATTACHED_HW 3, XDP_ATTACHED_MULTI 4
    }
    SOCKET_MEMORY "SK_MEMINFO_???" {
        SK_MEMINFO_RMEM_ALLOC 0, SK_MEMINFO_RCVBUF 1, SK_MEMINFO_WMEM_ALLOC 2, SK_MEMINFO_SNDBUF 3, SK_MEMINFO_FWD_ALLOC 4,
        SK_MEMINFO_WMEM_QUEUED 5, SK_MEMINFO_OPTMEM 6, SK_MEMINFO_BACKLOG 7, SK_MEMINFO_DROPS 8
    }
}

pub(crate) const ADDRESS: Attributes = Attributes {
    rows: &[
        (1, "IFA_ADDRESS", Inet),
        (2, "IFA_LOCAL", Inet),
        (3, "IFA_LABEL", Text),
        (4, "IFA_BROADCAST", Inet),
        (5, "IFA_ANYCAST", Inet),
        (6, "IFA_CACHEINFO", AddressCache),
        (7, "IFA_MULTICAST", Inet),
        (8, "IFA_FLAGS", Flags(&ADDRESS_FLAGS)),
        (9, "IFA_RT_PRIORITY", U32),
        (10, "IFA_TARGET_NETNSID", U32),
        (11, "IFA_PROTO", Bytes),
    ],
    unknown: "IFA_???",
};

pub(crate) const ROUTES: Attributes = Attributes {
    rows: &[
        (1, "RTA_DST", Inet),
        (2, "RTA_SRC", Inet),
        (3, "RTA_IIF", Interface),
        (4, "RTA_OIF", Interface),
        (5, "RTA_GATEWAY", Inet),
        (6, "RTA_PRIORITY", U32),
        (7, "RTA_PREFSRC", Inet),
        (8, "RTA_METRICS", Bytes),
        (9, "RTA_MULTIPATH", Bytes),
        (12, "RTA_CACHEINFO", Bytes),
        (15, "RTA_TABLE", Choice(&TABLE_ID)),
        (16, "RTA_MARK", U32),
        (20, "RTA_PREF", U8),
        (22, "RTA_ENCAP", Bytes),
        (23, "RTA_EXPIRES", U64),
        (25, "RTA_UID", U32),
        (26, "RTA_TTL_PROPAGATE", U8),
    ],
    unknown: "RTA_???",
};

pub(crate) const NEIGHBOURS: Attributes = Attributes {
    rows: &[
        (1, "NDA_DST", Inet),
        (2, "NDA_LLADDR", Hardware),
        (3, "NDA_CACHEINFO", NeighbourCache),
        (4, "NDA_PROBES", U32),
        (5, "NDA_VLAN", U16),
        (7, "NDA_VNI", U32),
        (8, "NDA_IFINDEX", Interface),
        (9, "NDA_MASTER", Interface),
        (12, "NDA_PROTOCOL", U8),
    ],
    unknown: "NDA_???",
};

pub(crate) const INET: Attributes = Attributes {
    rows: &[
        (1, "INET_DIAG_MEMINFO", InetMemory),
        (2, "INET_DIAG_INFO", Bytes),
        (3, "INET_DIAG_VEGASINFO", Bytes),
        (4, "INET_DIAG_CONG", Text),
        (5, "INET_DIAG_TOS", U8),
        (6, "INET_DIAG_TCLASS", U8),
        (7, "INET_DIAG_SKMEMINFO", Named(&SOCKET_MEMORY)),
        (8, "INET_DIAG_SHUTDOWN", U8),
        (10, "INET_DIAG_PROTOCOL", U8),
        (11, "INET_DIAG_SKV6ONLY", U8),
        (15, "INET_DIAG_MARK", U32),
        (17, "INET_DIAG_CLASS_ID", U32),
        (18, "INET_DIAG_MD5SIG", Bytes),
        (19, "INET_DIAG_ULP_INFO", Bytes),
        (21, "INET_DIAG_CGROUP_ID", U64),
        (22, "INET_DIAG_SOCKOPT", Bytes),
    ],
    unknown: "INET_DIAG_???",
};

pub(crate) const UNIX: Attributes = Attributes {
    rows: &[
        (0, "UNIX_DIAG_NAME", Text),
        (1, "UNIX_DIAG_VFS", Bytes),
        (2, "UNIX_DIAG_PEER", U32),
        (3, "UNIX_DIAG_ICONS", Bytes),
        (4, "UNIX_DIAG_RQLEN", UnixQueues),
        (5, "UNIX_DIAG_MEMINFO", Named(&SOCKET_MEMORY)),
        (6, "UNIX_DIAG_SHUTDOWN", U8),
        (7, "UNIX_DIAG_UID", U32),
    ],
    unknown: "UNIX_DIAG_???",
};

pub(crate) const NETLINK_SOCKETS: Attributes = Attributes {
    rows: &[
        (0, "NETLINK_DIAG_MEMINFO", Named(&SOCKET_MEMORY)),
        (1, "NETLINK_DIAG_GROUPS", Bytes),
        (4, "NETLINK_DIAG_FLAGS", Bytes),
    ],
    unknown: "NETLINK_DIAG_???",
};
