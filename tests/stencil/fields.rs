//! Points of a grid and values for them that look random: what every test of stencils begins with.

use tilewise::stencil::Extent;

/// All points, x fastest.
pub(crate) fn points(extent: Extent) -> impl Iterator<Item = [usize; 3]> {
    let Extent { x: row, y: rows, z: planes } = extent;
    (0..planes).flat_map(move |z| (0..rows).flat_map(move |y| (0..row).map(move |x| [x, y, z])))
}

/// A value in -1..1 for a point; every mantissa bit is in use, so that rounding shows.
pub(crate) fn noise(seed: u64, [x, y, z]: [usize; 3]) -> f64 {
    // The number of that index in SplitMix64 (Steele, Lea, Flood 2014).
    let index = (x + (y << 20) + (z << 40)) as u64 + 1;
    let mut bits = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}
