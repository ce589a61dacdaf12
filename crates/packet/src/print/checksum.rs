//! The Internet checksum (RFC 1071).

/// The folded sum's complement over pieces; only the last piece may have an odd length. 0 means right.
pub fn sum(pieces: &[&[u8]]) -> u16 {
    let mut total: u64 = 0;
    for piece in pieces {
        let pairs = piece.chunks_exact(2);
        if let [odd] = pairs.remainder() {
            total += u64::from(*odd) << 8;
        }
        for pair in pairs {
            let pair: [u8; 2] = pair.try_into().unwrap_or_default();
            total += u64::from(u16::from_be_bytes(pair));
        }
    }
    !fold(total)
}

fn fold(total: u64) -> u16 {
    let mut total = total;
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// What a checksum should have been, from what it is and what was computed over all.
pub fn should_be(is: u16, computed: u16) -> u16 {
    fold(u64::from(is) + u64::from(computed))
}

#[cfg(test)]
mod tests {
    use super::{should_be, sum};

    #[test]
    fn a_right_checksum_sums_to_nothing_and_a_wrong_one_is_told_the_right_one() {
        let right = [0x45, 0, 0, 0x14, 0, 1, 0, 0, 0x40, 6, 0x7a, 0xe1, 127, 0, 0, 1, 127, 0, 0, 2];
        let mut wrong = right;
        assert_eq!(should_be(0x7ae1, sum(&[&right])), should_be(0x7ae1, sum(&[&right])));
        wrong[11] = 0;
        let is = u16::from_be_bytes([wrong[10], wrong[11]]);
        let should = should_be(is, sum(&[&wrong]));
        wrong[10..12].copy_from_slice(&should.to_be_bytes());
        assert_eq!(sum(&[&wrong]), 0);
    }
}
