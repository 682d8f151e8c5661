//! Plain arrays: what every machine has, and the definition the other files are tested against.

use super::{ByteDot, FloatExtra, GROUP, PANEL, Step};
use crate::isa::Scalar;

impl ByteDot for Scalar {
    type Lhs = [u8; GROUP];
    type Rhs = Step;
    type Acc = [i32; PANEL];

    #[inline(always)]
    fn zero(self) -> Self::Acc {
        [0; PANEL]
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> Self::Acc {
        *sums
    }

    #[inline(always)]
    fn load(self, step: &Step) -> Step {
        *step
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> [u8; GROUP] {
        group
    }

    #[inline(always)]
    fn dot(self, mut acc: Self::Acc, lhs: [u8; GROUP], rhs: Step) -> Self::Acc {
        for (sum, column) in acc.iter_mut().zip(rhs) {
            for (a, b) in lhs.into_iter().zip(column) {
                *sum = sum.wrapping_add(i32::from(a) * i32::from(b));
            }
        }
        acc
    }

    #[inline(always)]
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]) {
        *out = acc;
    }
}

#[allow(unsafe_code, reason = "the contract is the trait's; an ordinary store needs none")]
impl FloatExtra for pulp::Scalar {
    type Panel = [f32; PANEL];
    const STREAMS: bool = false;

    #[inline(always)]
    unsafe fn stream_f32s(self, to: &mut Self::f32s, value: Self::f32s) {
        *to = value;
    }

    #[inline(always)]
    unsafe fn stream_f64s(self, to: &mut Self::f64s, value: Self::f64s) {
        *to = value;
    }

    #[inline(always)]
    fn stream_fence(self) {}

    #[inline(always)]
    fn prefetch<T>(self, _address: *const T) {}
}
