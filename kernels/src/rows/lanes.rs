//! Sums over a row in one order, whatever a register holds.
//!
//! ```text
//! lane       0     1   ...   15
//!          x[0]  x[1]  ...  x[15]
//!         x[16] x[17]  ...  x[31]      each lane adds up its own numbers, top down,
//!           ...                        then halves are added: 8 + 8, 4 + 4, 2 + 2, 1 + 1
//! ```

/// As many as the widest registers hold.
pub(super) const LANES: usize = 16;

/// The sum of `function` of all numbers.
#[inline(always)]
pub(super) fn sum(row: &[f32], function: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in whole {
        for i in 0..LANES {
            lanes[i] += function(chunk[i]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += function(value);
    }
    total(lanes)
}

/// The sum of the lanes.
#[inline(always)]
pub(super) fn total(mut lanes: [f32; LANES]) -> f32 {
    halve(&mut lanes, |a, b| a + b)
}

/// All lanes as one: halves are joined until one is left.
#[inline(always)]
fn halve(lanes: &mut [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The greatest number; what is no number is passed over. Minus infinity of none.
#[inline(always)]
pub(super) fn greatest(row: &[f32]) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in whole {
        for i in 0..LANES {
            lanes[i] = greater(lanes[i], chunk[i]);
        }
    }
    let most = rest.iter().copied().fold(f32::NEG_INFINITY, greater);
    greater(most, halve(&mut lanes, greater))
}
