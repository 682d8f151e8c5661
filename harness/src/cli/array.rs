//! `.npy` arrays, read as points and written from what a fit found.

use super::npy::{Head, NpyError};
use super::points::{Number, Rows};
use npyz::NpyFile;
use std::io;
use tilewise::vector::Real;

/// Points of an array of two dimensions: f32 or f64 numbers, or bytes.
pub(super) fn read<T: Number>(bytes: &[u8]) -> Result<Rows<T>, String> {
    let message = |error: NpyError| error.to_string();
    let head = Head::read::<T>(bytes, bytes.len() as u64).map_err(message)?;
    let Head { shape, size, length, header, .. } = head;
    let columns = shape.last().map_or(1, |&columns| columns.max(1));
    let values = numbers(NpyFile::with_header(header, &bytes[length..]), size, columns)?;
    let &[_, columns] = &*shape else {
        return Err(message(NpyError::Dimensions(shape.len())));
    };
    Ok(Rows { values, columns: columns as usize })
}

/// All numbers of an array with elements of `size` bytes.
fn numbers<T: Number>(file: NpyFile<&[u8]>, size: usize, columns: u64) -> Result<Vec<T>, String> {
    let wrong_type = |error: npyz::DTypeError| error.to_string();
    let numbers: Box<dyn Iterator<Item = io::Result<f64>> + '_> = match size {
        1 => Box::new(file.data::<u8>().map_err(wrong_type)?.map(|byte| byte.map(f64::from))),
        4 => Box::new(file.data::<f32>().map_err(wrong_type)?.map(|single| single.map(f64::from))),
        _ => Box::new(file.data::<f64>().map_err(wrong_type)?),
    };
    let value = |(at, number): (u64, io::Result<f64>)| {
        let value = number.map_err(|error| error.to_string()).and_then(T::of);
        let (row, column) = (at / columns + 1, at % columns + 1);
        value.map_err(|reason| format!("row {row}, column {column} {reason}"))
    };
    (0..).zip(numbers).map(value).collect()
}

/// An array of as many numbers as its shape has, which were of type `C`.
pub(super) fn of_reals<C: Real>(shape: &[usize], values: impl Iterator<Item = f64>) -> Vec<u8> {
    if C::NAME == "f32" {
        return file("<f4", shape, values.map(|value| (value as f32).to_le_bytes()));
    }
    file("<f8", shape, values.map(f64::to_le_bytes))
}

/// An array of labels, as scikit-learn has them: one dimension, 32 bits, signed.
pub(super) fn of_labels(labels: &[u32]) -> Vec<u8> {
    file("<i4", &[labels.len()], labels.iter().map(|label| label.cast_signed().to_le_bytes()))
}

/// A file of version 1.0: numbers start at a multiple of 64 bytes.
fn file<const SIZE: usize>(
    element: &str,
    shape: &[usize],
    numbers: impl Iterator<Item = [u8; SIZE]>,
) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let count: usize = shape.iter().product();
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    let shape = if let [along] = &*shape { format!("{along},") } else { shape.join(", ") };
    let mut header =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({shape}), }}");
    while !(MAGIC.len() + 2 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a short header");
    // Once: bytes that grow as they come take up to twice as many.
    let mut bytes = Vec::with_capacity(MAGIC.len() + 2 + header.len() + count * SIZE);
    bytes.extend(MAGIC.iter().copied().chain(length.to_le_bytes()).chain(header.bytes()));
    let header = bytes.len();
    numbers.for_each(|number| bytes.extend(number));
    assert_eq!(bytes.len(), header + count * SIZE, "as many numbers as the shape has");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arrays_are_refused() {
        assert!(read::<f32>(b"no array").is_err());
        let array = |shape: &str, numbers: &[f64]| {
            let header = format!("{{'descr':'<f8','fortran_order':False,'shape':({shape})}}\n");
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.bytes().chain(numbers.iter().flat_map(|x| x.to_le_bytes())));
            read::<f32>(&bytes).map(|rows| rows.values)
        };
        let wrong = |shape: &str, numbers: &[f64]| array(shape, numbers).expect_err(shape);
        assert_eq!(array("1, 2", &[1.0, 2.0]), Ok(vec![1.0, 2.0]));
        assert!(wrong("4294967296, 4294967296", &[]).contains("can count"));
        assert!(wrong("0, 4294967296, 4294967296", &[]).contains("can count"));
        assert!(wrong("4294967296, 2147483648", &[1.0]).contains("cut short"));
        assert!(wrong("1, 2", &[1.0, 2.0, 3.0]).contains("too long: 24 bytes"));
        assert!(wrong("2, 2", &[1.0, 2.0, 3.0, 1e39]).contains("row 2, column 2 is 1e39"));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let values = [0.5, -3.0, 1e-3, 4.0, 5.0, 6.0];
        let of = |shape: &[usize]| of_reals::<f32>(shape, values.into_iter());
        let back = of_reals::<f64>(&[3, 2], values.into_iter());
        let back = read::<f64>(&back).expect("an array");
        assert_eq!((back.values, back.columns), (values.to_vec(), 2));
        let back = read::<f32>(&of(&[2, 3])).expect("an array");
        assert_eq!((back.values[2], back.columns), (1e-3, 3));
        let refused = read::<u8>(&of(&[2, 3])).err().expect("an error");
        assert!(refused.contains("<f4; expected u8"), "{refused}");
        let labels = of_labels(&[3, 1, 2]);
        assert!(labels.len() == 128 + 12 && labels.ends_with(&[2, 0, 0, 0]));
    }
}
