//! Laplacians as the literature lists them, which the kernels must not be asked for, and what they
//! make of waves.

use crate::weights::second_difference;
use tilewise::stencil::Kind;

/// That of a kind: neighbours and their weights, the point itself last.
pub(crate) fn laplacian(kind: Kind) -> Vec<([i32; 3], f64)> {
    let star = second_difference(kind.radius());
    // Patra and Karttunen 2006, by the number of axes along which a neighbour is one away.
    let weight = |at: [i32; 3]| match kind {
        Kind::Heat9 => [0.0, 2.0 / 3.0, 1.0 / 6.0][away(at)],
        Kind::Heat27 => [0.0, 7.0 / 15.0, 1.0 / 10.0, 1.0 / 30.0][away(at)],
        _ if away(at) == 1 => star[at.map(i32::unsigned_abs).iter().sum::<u32>() as usize],
        _ => 0.0,
    };
    let range = |axis: usize| {
        let radius = if axis < kind.dimensions() { kind.radius() as i32 } else { 0 };
        -radius..=radius
    };
    let mut all = Vec::new();
    for z in range(2) {
        for y in range(1) {
            all.extend(range(0).map(|x| ([x, y, z], weight([x, y, z]))));
        }
    }
    all.retain(|&(_, weight)| weight != 0.0);
    let centre = -all.iter().map(|(_, weight)| weight).sum::<f64>();
    all.push(([0; 3], centre));
    all
}

/// Along how many axes a place is away from the origin.
fn away(at: [i32; 3]) -> usize {
    at.iter().filter(|&&along| along != 0).count()
}

/// By how much a Laplacian multiplies a product of waves that turn by `angles` from one point to the
/// next.
pub(crate) fn eigenvalue(laplacian: &[([i32; 3], f64)], angles: [f64; 3]) -> f64 {
    let turned = |(at, weight): &([i32; 3], f64)| {
        weight * (0..3).map(|axis| (angles[axis] * f64::from(at[axis])).cos()).product::<f64>()
    };
    laplacian.iter().map(turned).sum()
}
