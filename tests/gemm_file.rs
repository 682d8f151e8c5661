//! Packed weights as bytes: they come back whole from any storage, and whatever is cut, flipped
//! or forged is an error that says so.

#[path = "../kernels/examples/packed_file.rs"]
mod packed_file;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::ops::Range;
use std::sync::Arc;
use tilewise::buffer::Buffer;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{Lhs, LoadError, PackedWeights, Plan, Recipe, Shape, Store};
use tilewise::{Isa, Matrix, MatrixMut, Solo};
use tilewise_tests::{each_isa, guarded};
use twox_hash::XxHash3_64;

/// A part of a larger file.
struct Part(Buffer<u8>, Range<usize>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0[self.1.clone()]
    }
}

/// Weights of some size; with `shifted`, they have zero points.
fn weights(k: usize, n: usize, shifted: bool) -> PackedWeights {
    let values: Vec<i8> = (0..k * n).map(|i| (i * 37 % 251) as u8 as i8).collect();
    let weights = PackedWeights::pack(Matrix::new(&values, k, n).unwrap()).unwrap();
    let points: Vec<i8> = (0..n).map(|i| (i * 53 % 256) as u8 as i8).collect();
    if shifted { weights.with_zero_points(&points).unwrap() } else { weights }
}

/// Loads a copy of `bytes`. What is accepted must be the one image of its weights.
fn load(bytes: &[u8]) -> Result<PackedWeights, LoadError> {
    let mut storage = Buffer::zeroed(bytes.len()).unwrap();
    storage.copy_from_slice(bytes);
    let loaded = PackedWeights::from_bytes(Arc::new(storage));
    if let Ok(weights) = &loaded {
        assert_eq!(weights.to_bytes().unwrap()[..], *bytes, "accepted, but not the same");
    }
    loaded
}

/// Makes both checksums right again.
fn seal(bytes: &mut [u8]) {
    let payload = XxHash3_64::oneshot(&bytes[64..]);
    bytes[40..48].copy_from_slice(&payload.to_le_bytes());
    let header = XxHash3_64::oneshot(&bytes[..56]);
    bytes[56..64].copy_from_slice(&header.to_le_bytes());
}

/// What loading says of `bytes` after `change`, its checksums made right.
fn forged(bytes: &[u8], change: impl FnOnce(&mut [u8])) -> LoadError {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    seal(&mut bytes);
    load(&bytes).expect_err("forged")
}

const SIZES: [(usize, usize); 8] =
    [(0, 0), (0, 5), (7, 0), (1, 1), (4, 16), (30, 35), (257, 17), (1024, 32)];

#[test]
fn bytes_come_back_from_anywhere() {
    for ((k, n), shifted) in SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
        let packed = weights(k, n, shifted);
        let bytes = packed.to_bytes().unwrap();
        assert_eq!(PackedWeights::packed_bytes(k, n) + 64, bytes.len());
        assert_eq!(load(&bytes).unwrap().wide_steps(), packed.wide_steps());
        for offset in [1, 2, 4, 8, 32, 63, 64] {
            let mut storage = Buffer::zeroed(bytes.len() + 64).unwrap();
            let range = offset..offset + bytes.len();
            storage[range.clone()].copy_from_slice(&bytes);
            let loaded = PackedWeights::from_bytes(Arc::new(Part(storage, range))).unwrap();
            assert_eq!(loaded.to_bytes().unwrap()[..], bytes[..], "offset {offset}");
        }
        // Weights that are shared may be given other zero points.
        let again = load(&bytes).unwrap().with_zero_points(&vec![0; n]).unwrap();
        assert_eq!(again.to_bytes().unwrap()[..], weights(k, n, false).to_bytes().unwrap()[..]);
    }
}

#[test]
fn products_read_a_file_and_not_one_byte_past_it() {
    let (m, k, n) = (7, 30, 35);
    let packed = weights(k, n, true);
    let lhs: Vec<u8> = (0..m * k).map(|i| (i * 91 % 256) as u8).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    packed_file::save(&packed, &path).unwrap();
    let mapped = packed_file::load(&path).unwrap();
    // The bytes end where forbidden memory begins, on a line: they are used in place.
    let bytes = guarded(&packed.to_bytes().unwrap());
    let fenced = PackedWeights::from_bytes(Arc::new(Fenced(bytes))).unwrap();
    each_isa(|isa| {
        let sums = [&packed, &mapped, &fenced].map(|weights| multiply(isa, &lhs, m, weights));
        assert_eq!(sums[0], sums[1], "mapped, on {isa}");
        assert_eq!(sums[0], sums[2], "fenced, on {isa}");
    });
    packed_file::main().unwrap();
}

struct Fenced(tilewise_tests::Guarded<u8>);

impl AsRef<[u8]> for Fenced {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn multiply(isa: Isa, lhs: &[u8], m: usize, weights: &PackedWeights) -> Vec<i32> {
    let shape = Shape { m, n: weights.n(), k: weights.k() };
    let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let plan = Plan::new(shape, isa, recipe).unwrap();
    let mut out = vec![0; m * shape.n];
    let view = MatrixMut::new(&mut out, m, shape.n).unwrap();
    let lhs = Lhs::u8(Matrix::new(lhs, m, shape.k).unwrap(), 9);
    plan.run(lhs, weights, &Store, view, &mut plan.scratch(1).unwrap(), &Solo).unwrap();
    out
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = weights(30, 35, true).to_bytes().unwrap().to_vec();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = load(&flipped).expect_err("a flipped bit");
        let right = match bit / 8 {
            0..8 => matches!(error, LoadError::Foreign { .. }),
            8..12 => matches!(error, LoadError::Version { .. }),
            12..64 => matches!(error, LoadError::Damaged { what: "header", .. }),
            _ => matches!(error, LoadError::Damaged { what: "payload", .. }),
        };
        assert!(right, "bit {bit}: {error}");
        assert!(bit < 12 * 8 || error.to_string().ends_with("write or copy it again"), "{error}");
    }
}

#[test]
fn every_cut_and_any_addition_is_noticed() {
    let bytes = weights(30, 35, false).to_bytes().unwrap().to_vec();
    for len in 0..bytes.len() {
        let expected = if len < 64 { 64 } else { bytes.len() };
        assert_eq!(load(&bytes[..len]).unwrap_err(), LoadError::Length { given: len, expected });
    }
    let longer = [&bytes[..], &[0]].concat();
    let message = load(&longer).unwrap_err().to_string();
    assert!(message.contains(&format!("{} bytes", bytes.len() + 1)), "{message}");
}

#[test]
fn headers_that_lie_are_refused_whatever_they_say() {
    let bytes = weights(30, 35, false).to_bytes().unwrap().to_vec();
    let put = |at: usize, value: u64| {
        forged(&bytes, |bytes| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()))
    };
    let huge = [0, 1, 29, 33, u64::MAX, u64::MAX - 3, 1 << 63, 1 << 62, 1 << 60, 1 << 32, 1 << 20];
    for value in huge {
        for (at, field) in [(16, "k"), (24, "n"), (32, "length")] {
            let error = put(at, value);
            // Sizes with as many steps and panels do not lie, but leave weights outside.
            let right = match (field, value) {
                ("k", 29) | ("n", 33) => matches!(error, LoadError::Inconsistent { .. }),
                _ => matches!(error, LoadError::Lying { .. } | LoadError::Oversized { .. }),
            };
            assert!(right, "{field} of {value}: {error}");
            let said = error.to_string();
            assert!(said.contains("pack them again") || said.contains("pack fewer"), "{said}");
        }
        // Two lies that fit each other do not fit the bytes.
        let error = forged(&bytes, |bytes| {
            bytes[16..24].copy_from_slice(&value.to_le_bytes());
            bytes[24..32].copy_from_slice(&0u64.to_le_bytes());
            bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
        });
        assert_eq!(error, LoadError::Length { given: bytes.len(), expected: 64 });
    }
    assert!(matches!(put(12, 1), LoadError::Features { given: 1 }));
    assert!(matches!(put(48, 1 << 40), LoadError::Features { .. }));
    let newer = forged(&bytes, |bytes| bytes[8] = 2);
    assert_eq!(newer, LoadError::Version { given: 2 });
    assert!(newer.to_string().contains("version 2; this library reads 1"));
    for len in [1, 7, 8, 9, 63, 64, 100] {
        let foreign = load(&vec![b'x'; len]).unwrap_err();
        assert!(
            foreign.to_string().contains("no packed weights: they begin with [78"),
            "{foreign}"
        );
    }
}

#[test]
fn what_is_derived_from_the_weights_cannot_be_forged() {
    let (k, n) = (30, 35);
    let bytes = weights(k, n, true).to_bytes().unwrap().to_vec();
    let (steps, sums) = (64, 64 + 3 * 8 * 64);
    let (flags, zero_points) = (sums + 3 * 64, sums + 4 * 64);
    assert_eq!(bytes.len(), zero_points + 3 * 64);
    let wrong = |at: usize, mask: u8| match forged(&bytes, |bytes| bytes[at] ^= mask) {
        LoadError::Inconsistent { what, panel } => (what, panel),
        other => panic!("{other}"),
    };
    assert_eq!(wrong(sums + 64, 1), ("sums", 1));
    assert_eq!(wrong(flags + 16, 128), ("flags", 2));
    assert_eq!(wrong(zero_points + 65, 1), ("zero points", 1));
    assert_eq!(wrong(zero_points, 1), ("sums", 0), "sums contain the zero points");
    // Depth 30 of column 0, in step 7; column 35, the fourth of panel 2. The sums go with them.
    for (at, column) in [(steps + 7 * 64 + 2, 0), (steps + 16 * 64 + 3 * 4, 35)] {
        let error = forged(&bytes, |bytes| {
            bytes[at] = 1;
            let sum = bytes[sums + column * 4..].first_chunk_mut::<4>().unwrap();
            *sum = (i32::from_le_bytes(*sum) + 1).to_le_bytes();
        });
        let what = "bytes past the last row or column";
        assert_eq!(error, LoadError::Inconsistent { what, panel: column / 16 });
    }
    // The flags' section is padded with zeros.
    let error = forged(&bytes, |bytes| bytes[flags + 24] = 1);
    assert!(matches!(error, LoadError::Inconsistent { what: "flags", .. }), "{error}");
}

#[test]
fn random_forgeries_with_right_checksums_never_panic() {
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    for round in 0..4000 {
        let (k, n) = SIZES[round % (SIZES.len() - 1)];
        let mut bytes = weights(k, n, round % 2 == 0).to_bytes().unwrap().to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = match rng.random_range(0..3) {
                0 => rng.random_range(12..40),
                _ => rng.random_range(12..bytes.len()),
            };
            bytes[at] ^= rng.random_range(1..=255u8);
        }
        seal(&mut bytes);
        // Other weights may be accepted if their sums go with them; never anything else.
        let _ = load(&bytes);
    }
}
