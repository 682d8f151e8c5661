//! Buffers, views and cache sizes: alignment, refusals, and what a shape may not be.

use proptest::prelude::*;
use tilewise::buffer::{Buffer, LINE};
use tilewise::cache::CacheSizes;
use tilewise::matrix::{LayoutError, Matrix, MatrixMut};

#[test]
fn buffers_are_zeroed_and_aligned() {
    for len in [0, 1, 63, 64, 1 << 20, (4 << 20) + 1] {
        let buffer = Buffer::<u8>::zeroed(len).unwrap();
        assert_eq!(buffer.len(), len);
        assert!(buffer.iter().all(|&byte| byte == 0));
        assert!(buffer.as_ptr().addr().is_multiple_of(LINE), "{len} bytes");
        if len >= 4 << 20 {
            assert!(buffer.as_ptr().addr().is_multiple_of(2 << 20), "{len} bytes");
        }
    }
}

#[test]
fn an_oversize_request_is_an_error() {
    for len in [usize::MAX, usize::MAX / 8, 1 << 50] {
        let message = Buffer::<f64>::zeroed(len).unwrap_err().to_string();
        assert!(message.contains("allocate"), "{message}");
    }
}

proptest! {
    #[test]
    fn a_view_exists_exactly_when_its_rows_fit(
        len in 0usize..200, rows in 0usize..20, cols in 0usize..20, stride in 0usize..25,
    ) {
        let mut data: Vec<usize> = (0..len).collect();
        let last = rows.checked_sub(1).map_or(0, |full| full * stride + cols);
        let fits = stride >= cols && last <= len;
        prop_assert_eq!(Matrix::with_stride(&data, rows, cols, stride).is_ok(), fits);
        if let Ok(mut view) = MatrixMut::with_stride(&mut data, rows, cols, stride) {
            for row in 0..rows {
                let expected: Vec<usize> = (row * stride..row * stride + cols).collect();
                prop_assert_eq!(&*view.row_mut(row), &expected[..]);
            }
        }
        if let Ok(view) = Matrix::with_stride(&data, rows, cols, stride) {
            let half = view.slice_rows(rows / 2..rows);
            prop_assert_eq!(half.rows(), rows - rows / 2);
            for row in 0..half.rows() {
                prop_assert_eq!(half.row(row), view.row(rows / 2 + row));
            }
        }
    }
}

#[test]
fn huge_shapes_do_not_overflow() {
    let data = [0u8; 4];
    let refused = Matrix::with_stride(&data, usize::MAX, 2, usize::MAX).unwrap_err();
    assert!(matches!(refused, LayoutError::TooShort { len: 4, .. }));
}

#[test]
fn caches_grow_outwards() {
    let caches = CacheSizes::detect();
    assert!(caches.l1d >= 4 << 10, "{caches:?}");
    assert!(caches.l1d <= caches.l2 && caches.l2 <= caches.l3, "{caches:?}");
}
