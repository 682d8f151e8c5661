//! Bytes times bytes, summed in 32 bits, wrapping.

use crate::abi::Gemm;
use crate::rows as rows_of;

/// i-k-j: a row of the result is a sum of rows of the right operand (k x n), each times one
/// value of the left.
pub(crate) extern "C" fn rows(gemm: Gemm<'_>) {
    let Gemm { lhs, rhs, out, n, k } = gemm;
    for (lhs, out) in rows_of(lhs.get(), k).zip(out.get().chunks_exact_mut(n.max(1))) {
        out.fill(0);
        for (&a, rhs) in lhs.iter().zip(rows_of(rhs.get(), n)) {
            for (sum, &b) in out.iter_mut().zip(rhs) {
                *sum = sum.wrapping_add(i32::from(a) * i32::from(b));
            }
        }
    }
}

/// i-j-k: a value of the result is the dot product of a row of the left operand and a column of
/// the right, which is stored transposed (n x k) so that both run along memory.
pub(crate) extern "C" fn dots(gemm: Gemm<'_>) {
    let Gemm { lhs, rhs, out, n, k } = gemm;
    for (lhs, out) in rows_of(lhs.get(), k).zip(out.get().chunks_exact_mut(n.max(1))) {
        for (out, rhs) in out.iter_mut().zip(rows_of(rhs.get(), k)) {
            let mut sum = 0i32;
            for (&a, &b) in lhs.iter().zip(rhs) {
                sum = sum.wrapping_add(i32::from(a) * i32::from(b));
            }
            *out = sum;
        }
    }
}
