//! Weights of second differences as the literature has them, which the kernels must not be asked
//! for.

/// Of order `2 * radius` (Fornberg 1988), by distance along an axis; the point itself first.
pub(crate) fn second_difference(radius: usize) -> &'static [f64] {
    match radius {
        1 => &[-2.0, 1.0],
        2 => &[-5.0 / 2.0, 4.0 / 3.0, -1.0 / 12.0],
        4 => &[-205.0 / 72.0, 8.0 / 5.0, -1.0 / 5.0, 8.0 / 315.0, -1.0 / 560.0],
        _ => panic!("no ready-made stencil looks {radius} far"),
    }
}
