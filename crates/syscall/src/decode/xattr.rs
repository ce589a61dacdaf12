//! Extended attributes of files.

use super::args::*;
use super::row::{Argument, flags, rows};
use super::tables::file::{AT, XATTR};

/// Names of attributes, with zero bytes between them.
const ATTRIBUTE_NAMES: Argument = RETURNED;
/// An attribute's value, with the length that the call returned.
const VALUE_OUT: Argument = RETURNED;

rows! {
    setxattr [PATH, STRING, data(3), SIZE, flags(&XATTR)] Decimal;
    lsetxattr [PATH, STRING, data(3), SIZE, flags(&XATTR)] Decimal;
    fsetxattr [FD, STRING, data(3), SIZE, flags(&XATTR)] Decimal;
    getxattr [PATH, STRING, VALUE_OUT, SIZE] Decimal;
    lgetxattr [PATH, STRING, VALUE_OUT, SIZE] Decimal;
    fgetxattr [FD, STRING, VALUE_OUT, SIZE] Decimal;
    listxattr [PATH, ATTRIBUTE_NAMES, SIZE] Decimal;
    llistxattr [PATH, ATTRIBUTE_NAMES, SIZE] Decimal;
    flistxattr [FD, ATTRIBUTE_NAMES, SIZE] Decimal;
    removexattr [PATH, STRING] Decimal;
    lremovexattr [PATH, STRING] Decimal;
    fremovexattr [FD, STRING] Decimal;
    setxattrat [DIRFD, PATH, flags(&AT), STRING, ADDRESS, SIZE] Decimal;
    getxattrat [DIRFD, PATH, flags(&AT), STRING, ADDRESS, SIZE] Decimal;
    listxattrat [DIRFD, PATH, flags(&AT), ATTRIBUTE_NAMES, SIZE] Decimal;
    removexattrat [DIRFD, PATH, flags(&AT), STRING] Decimal;
    file_getattr [DIRFD, PATH, ADDRESS, SIZE, flags(&AT)] Decimal;
    file_setattr [DIRFD, PATH, ADDRESS, SIZE, flags(&AT)] Decimal;
}
