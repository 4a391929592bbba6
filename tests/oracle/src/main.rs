//! `make oracle`: the cryptography beside that of others, over inputs that nobody chose.
//!
//! Every primitive of a text sees every length from 0 to 1100 at every alignment, every split of every
//! length, and each its share of a million random inputs. The two arguments are a seed and the number of random inputs.

mod agree;
mod input;
mod seal;
mod sha;
mod tree;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use input::{Input, MOST, Random, SEED_SIZE};

/// A primitive, ours and theirs.
struct Primitive {
    name: &'static str,
    /// Whether both make the same of an input.
    agree: fn(&Input) -> bool,
    /// Whether it goes through the lengths, the alignments and the splits, or is too slow, or takes no text.
    lengths: bool,
}

const PRIMITIVES: [Primitive; 10] = [
    Primitive {
        name: "sha512",
        agree: sha::sha512,
        lengths: true,
    },
    Primitive {
        name: "hmac-sha512",
        agree: sha::hmac,
        lengths: true,
    },
    Primitive {
        name: "hkdf-sha512",
        agree: sha::hkdf,
        lengths: true,
    },
    Primitive {
        name: "chacha20",
        agree: seal::chacha20,
        lengths: true,
    },
    Primitive {
        name: "poly1305",
        agree: seal::poly1305,
        lengths: true,
    },
    Primitive {
        name: "aead",
        agree: seal::aead,
        lengths: true,
    },
    Primitive {
        name: "blake3",
        agree: tree::blake3,
        lengths: true,
    },
    Primitive {
        name: "blake3 groups",
        agree: tree::groups,
        lengths: false,
    },
    Primitive {
        name: "x25519",
        agree: agree::x25519,
        lengths: false,
    },
    Primitive {
        name: "cpace",
        agree: agree::cpace,
        lengths: false,
    },
];

fn main() -> ExitCode {
    let mut arguments = env::args()
        .skip(1)
        .map(|text| text.parse::<u64>().expect("a number"));
    let seed = arguments.next().unwrap_or(1);
    let total = arguments.next().unwrap_or(1_000_000);
    println!("seed {seed}, {total} random inputs in all");

    let share = total.div_ceil(PRIMITIVES.len() as u64);
    let mut agreed = true;
    for (number, primitive) in PRIMITIVES.iter().enumerate() {
        let begun = Instant::now();
        let mut random = Random::new(seed, number as u64);
        let outcome = primitive.check(&mut random, share);
        let seconds = begun.elapsed().as_secs_f64();
        match &outcome {
            Ok(count) => println!(
                "agree   {:<13} {count:>8} inputs  {seconds:5.1} s",
                primitive.name
            ),
            Err(input) => println!("DIFFER  {:<13} {input}", primitive.name),
        }
        agreed &= outcome.is_ok();
    }
    if agreed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Primitive {
    /// Compares both on all inputs: how many there were, or the first one where they differ.
    fn check(&self, random: &mut Random, share: u64) -> Result<u64, String> {
        let mut count = 0;
        let mut compare = |input: Input| {
            count += 1;
            if (self.agree)(&input) {
                Ok(())
            } else {
                Err(input.to_string())
            }
        };
        // The page begins at a multiple of 64, so that the offset is the alignment.
        let mut page = input::Page::new();
        for length in (0..=MOST).filter(|_| self.lengths) {
            random.fill(page.bytes());
            let mut seed = [0; SEED_SIZE];
            random.fill(&mut seed);
            for offset in 0..64 {
                let text = &page.bytes()[offset..offset + length];
                compare(Input {
                    text,
                    cut: length / 2,
                    seed,
                    offset,
                })?;
            }
            for cut in 0..=length {
                let text = &page.bytes()[..length];
                compare(Input {
                    text,
                    cut,
                    seed,
                    offset: 0,
                })?;
            }
        }
        for _ in 0..share {
            let length = random.below(MOST + 1);
            let cut = random.below(length + 1);
            let offset = random.below(64);
            let mut seed = [0; SEED_SIZE];
            random.fill(&mut seed);
            let text = &mut page.bytes()[offset..offset + length];
            random.fill(text);
            compare(Input {
                text,
                cut,
                seed,
                offset,
            })?;
        }
        Ok(count)
    }
}
