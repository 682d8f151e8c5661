//! The product in plain loops, independent of the library's own reference: differences of bytes
//! and zero points as 32-bit numbers, multiplied and added with wrapping.

/// `lhs` is `m` rows of `k`, `weights` `k` rows of `n`, both less their zero points.
pub(crate) fn multiply(lhs: &[i32], weights: &[i32], (m, n, k): (usize, usize, usize)) -> Vec<i32> {
    let mut out = vec![0i32; m * n];
    if n == 0 {
        return out;
    }
    for (i, out) in out.chunks_exact_mut(n).enumerate() {
        for d in 0..k {
            let a = lhs[i * k + d];
            for (sum, &b) in out.iter_mut().zip(&weights[d * n..][..n]) {
                *sum = sum.wrapping_add(a * b);
            }
        }
    }
    out
}
