//! SHA-512 (FIPS 180-4).

use super::ct::wipe;

/// Bytes of a digest.
pub const DIGEST_SIZE: usize = 64;
/// Bytes that are hashed at once.
pub const BLOCK_SIZE: usize = 128;

/// A hash that is fed piece by piece. A clone goes on from where its original is; both are wiped.
#[derive(Clone)]
pub struct Sha512 {
    state: [u64; 8],
    /// The begun block: its first `total % BLOCK_SIZE` bytes count.
    block: [u8; BLOCK_SIZE],
    /// Bytes hashed so far. The standard ends at 2^125 bytes, which nobody reaches.
    total: u128,
}

impl Sha512 {
    /// The hash of nothing yet.
    pub fn new() -> Self {
        Self {
            state: INITIAL,
            block: [0; BLOCK_SIZE],
            total: 0,
        }
    }

    /// Adds bytes. Where they are cut into calls does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        let begun = self.begun();
        self.total += bytes.len() as u128;
        let mut rest = bytes;
        if begun > 0 {
            let space = &mut self.block[begun..];
            let taken = space.len().min(rest.len());
            let (now, later) = rest.split_at(taken);
            space[..taken].copy_from_slice(now);
            if begun + taken < BLOCK_SIZE {
                return;
            }
            compress(&mut self.state, &self.block);
            rest = later;
        }
        let whole = rest.len() - rest.len() % BLOCK_SIZE;
        compress(&mut self.state, &rest[..whole]);
        let left = &rest[whole..];
        self.block[..left.len()].copy_from_slice(left);
    }

    /// The digest of all that was added.
    pub fn finish(mut self) -> [u8; DIGEST_SIZE] {
        // Section 5.1.2: a one bit, zeros, and the length in bits in the last 16 bytes of a block.
        let begun = self.begun();
        let bits = self.total << 3;
        self.block[begun] = 0x80;
        self.block[begun + 1..].fill(0);
        if begun + 1 > BLOCK_SIZE - 16 {
            compress(&mut self.state, &self.block);
            self.block.fill(0);
        }
        self.block[BLOCK_SIZE - 16..].copy_from_slice(&bits.to_be_bytes());
        compress(&mut self.state, &self.block);
        let mut digest = [0; DIGEST_SIZE];
        for (bytes, word) in digest.chunks_exact_mut(8).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        digest
    }

    /// How many bytes of the block count: below `BLOCK_SIZE`.
    fn begun(&self) -> usize {
        (self.total % BLOCK_SIZE as u128) as usize
    }
}

impl Default for Sha512 {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sha512 {
    fn drop(&mut self) {
        wipe(&mut self.state);
        wipe(&mut self.block);
    }
}

/// The digest of bytes that are all there.
pub fn sha512(bytes: &[u8]) -> [u8; DIGEST_SIZE] {
    let mut hash = Sha512::new();
    hash.update(bytes);
    hash.finish()
}

/// Section 6.4.2, for each of the whole blocks.
fn compress(state: &mut [u64; 8], blocks: &[u8]) {
    // The last 16 words of the message schedule: word t is in place t % 16.
    let mut words = [0_u64; 16];
    for block in blocks.chunks_exact(BLOCK_SIZE) {
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(8)) {
            *word = u64::from_be_bytes(bytes.try_into().expect("a word"));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
        for (round, constants) in ROUNDS.chunks_exact(16).enumerate() {
            for i in 0..16 {
                if round > 0 {
                    words[i] = words[i]
                        .wrapping_add(small_sigma_0(words[(i + 1) % 16]))
                        .wrapping_add(words[(i + 9) % 16])
                        .wrapping_add(small_sigma_1(words[(i + 14) % 16]));
                }
                let t1 = h
                    .wrapping_add(e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41))
                    .wrapping_add((e & f) ^ (!e & g))
                    .wrapping_add(constants[i])
                    .wrapping_add(words[i]);
                let t2 = (a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39))
                    .wrapping_add((a & b) ^ (a & c) ^ (b & c));
                (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
                (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
            }
        }
        for (word, added) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word = word.wrapping_add(added);
        }
    }
    wipe(&mut words);
}

fn small_sigma_0(x: u64) -> u64 {
    x.rotate_right(1) ^ x.rotate_right(8) ^ (x >> 7)
}

fn small_sigma_1(x: u64) -> u64 {
    x.rotate_right(19) ^ x.rotate_right(61) ^ (x >> 6)
}

/// The fractional parts of the square roots of the first 8 primes (section 5.3.5).
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The fractional parts of the cube roots of the first 80 primes (section 4.2.3).
#[rustfmt::skip]
const ROUNDS: [u64; 80] = [
    0x428a_2f98_d728_ae22, 0x7137_4491_23ef_65cd, 0xb5c0_fbcf_ec4d_3b2f, 0xe9b5_dba5_8189_dbbc,
    0x3956_c25b_f348_b538, 0x59f1_11f1_b605_d019, 0x923f_82a4_af19_4f9b, 0xab1c_5ed5_da6d_8118,
    0xd807_aa98_a303_0242, 0x1283_5b01_4570_6fbe, 0x2431_85be_4ee4_b28c, 0x550c_7dc3_d5ff_b4e2,
    0x72be_5d74_f27b_896f, 0x80de_b1fe_3b16_96b1, 0x9bdc_06a7_25c7_1235, 0xc19b_f174_cf69_2694,
    0xe49b_69c1_9ef1_4ad2, 0xefbe_4786_384f_25e3, 0x0fc1_9dc6_8b8c_d5b5, 0x240c_a1cc_77ac_9c65,
    0x2de9_2c6f_592b_0275, 0x4a74_84aa_6ea6_e483, 0x5cb0_a9dc_bd41_fbd4, 0x76f9_88da_8311_53b5,
    0x983e_5152_ee66_dfab, 0xa831_c66d_2db4_3210, 0xb003_27c8_98fb_213f, 0xbf59_7fc7_beef_0ee4,
    0xc6e0_0bf3_3da8_8fc2, 0xd5a7_9147_930a_a725, 0x06ca_6351_e003_826f, 0x1429_2967_0a0e_6e70,
    0x27b7_0a85_46d2_2ffc, 0x2e1b_2138_5c26_c926, 0x4d2c_6dfc_5ac4_2aed, 0x5338_0d13_9d95_b3df,
    0x650a_7354_8baf_63de, 0x766a_0abb_3c77_b2a8, 0x81c2_c92e_47ed_aee6, 0x9272_2c85_1482_353b,
    0xa2bf_e8a1_4cf1_0364, 0xa81a_664b_bc42_3001, 0xc24b_8b70_d0f8_9791, 0xc76c_51a3_0654_be30,
    0xd192_e819_d6ef_5218, 0xd699_0624_5565_a910, 0xf40e_3585_5771_202a, 0x106a_a070_32bb_d1b8,
    0x19a4_c116_b8d2_d0c8, 0x1e37_6c08_5141_ab53, 0x2748_774c_df8e_eb99, 0x34b0_bcb5_e19b_48a8,
    0x391c_0cb3_c5c9_5a63, 0x4ed8_aa4a_e341_8acb, 0x5b9c_ca4f_7763_e373, 0x682e_6ff3_d6b2_b8a3,
    0x748f_82ee_5def_b2fc, 0x78a5_636f_4317_2f60, 0x84c8_7814_a1f0_ab72, 0x8cc7_0208_1a64_39ec,
    0x90be_fffa_2363_1e28, 0xa450_6ceb_de82_bde9, 0xbef9_a3f7_b2c6_7915, 0xc671_78f2_e372_532b,
    0xca27_3ece_ea26_619c, 0xd186_b8c7_21c0_c207, 0xeada_7dd6_cde0_eb1e, 0xf57d_4f7f_ee6e_d178,
    0x06f0_67aa_7217_6fba, 0x0a63_7dc5_a2c8_98a6, 0x113f_9804_bef9_0dae, 0x1b71_0b35_131c_471b,
    0x28db_77f5_2304_7d84, 0x32ca_ab7b_40c7_2493, 0x3c9e_be0a_15c9_bebc, 0x431d_67c4_9c10_0d4c,
    0x4cc5_d4be_cb3e_42b6, 0x597f_299c_fc65_7e2a, 0x5fcb_6fab_3ad6_faec, 0x6c44_198c_4a47_5817,
];

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    #[test]
    fn the_examples_of_fips_180_hold() {
        let million = vec![b'a'; 1_000_000];
        for (text, digest) in [
            (
                &b""[..],
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce \
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            ),
            (
                b"abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a \
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (
                b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn\
                  hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018 \
             501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
            ),
            (
                &million,
                "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb \
             de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
            ),
        ] {
            assert_eq!(sha512(text), hex::array(digest));
        }
    }

    #[test]
    fn every_length_to_1100_gives_the_digests_of_other_programs() {
        // Made with Python's hashlib: the digest of the digests of bytes (31 i + length) mod 256.
        let mut all = Sha512::new();
        for length in 0..=1100_usize {
            let text: Vec<u8> = (0..length).map(|i| (31 * i + length) as u8).collect();
            all.update(&sha512(&text));
        }
        let expected = "9fe2605006f0aada432adbaf77b49a68f2760accbf44d1634ea316f8ad065ea3 \
             28fe031b7fb01978d67abc3c550fc15b28620f584fd0e8daa927b80b7478351a";
        assert_eq!(all.finish(), hex::array(expected));
    }

    #[test]
    fn every_split_gives_the_digest_of_the_whole() {
        let text: Vec<u8> = (0..1100_usize).map(|i| (i * i / 7) as u8).collect();
        let whole = sha512(&text);
        for at in 0..=text.len() {
            let mut hash = Sha512::new();
            hash.update(&text[..at]);
            let mut fork = hash.clone();
            hash.update(&text[at..]);
            assert_eq!(hash.finish(), whole, "split at {at}");
            for piece in text[at..].chunks(at % 300 + 1) {
                fork.update(piece);
            }
            assert_eq!(fork.finish(), whole, "pieces from {at}");
        }
    }
}
