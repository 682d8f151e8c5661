//! `.npy` arrays, read as points and written from what a fit found.

use super::points::{Number, Rows};
use npyz::{DType, NpyFile, NpyHeader};
use std::io;
use tilewise::vector::Real;

/// Points of an array of two dimensions: f32 or f64 numbers, or bytes.
pub(super) fn read<T: Number>(bytes: &[u8]) -> Result<Rows<T>, String> {
    let array = Array::<T>::read(bytes)?;
    let &[_, columns] = &*array.shape else {
        let dimensions = array.shape.len();
        return Err(format!("has {dimensions} dimensions; expected 2, points by features"));
    };
    Ok(Rows { values: array.values, columns: columns as usize })
}

/// An array of any dimensions.
pub(super) struct Array<T> {
    pub(super) shape: Vec<u64>,
    /// The type of its elements in the file, such as `<f4`.
    pub(super) element: String,
    pub(super) values: Vec<T>,
}

impl<T: Number> Array<T> {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if sizes_overflow(bytes) {
            return Err("has a shape of more numbers than this machine can count".into());
        }
        let mut data = bytes;
        let header = NpyHeader::from_reader(&mut data);
        let header = header.map_err(|error| format!("no .npy array: {error}"))?;
        let shape = header.shape().to_vec();
        if header.order() != npyz::Order::C {
            return Err("is in Fortran order; expected C order, a point after the other".into());
        }
        let DType::Plain(element) = header.dtype() else {
            return Err("has records; expected f32, f64 or u8 numbers".into());
        };
        let element = element.to_string();
        let size = match &element[1..] {
            "u1" => 1,
            "f4" => 4,
            "f8" => 8,
            _ => return Err(format!("has elements of type {element}; expected f32, f64 or u8")),
        };
        if T::NAME == "u8" && size > 1 {
            return Err(format!("has elements of type {element}; expected u8, as --dtype says"));
        }
        let expected = shape.iter().map(|&along| u128::from(along)).product::<u128>() * size;
        if data.len() as u128 != expected {
            let shape: Vec<String> = shape.iter().map(u64::to_string).collect();
            return Err(format!(
                "is damaged, cut short or too long: {} bytes of numbers; {} of {element} are \
                 {expected}",
                data.len(),
                shape.join(" x ")
            ));
        }
        let columns = shape.last().map_or(1, |&columns| columns.max(1));
        let values = numbers(NpyFile::with_header(header, data), size, columns)?;
        Ok(Array { shape, element, values })
    }
}

/// All numbers of an array with elements of `size` bytes.
fn numbers<T: Number>(file: NpyFile<&[u8]>, size: u128, columns: u64) -> Result<Vec<T>, String> {
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

/// Whether the product of a .npy header's sizes overflows, which its reader does not ask.
fn sizes_overflow(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"'shape':";
    let Some(start) = bytes.windows(KEY.len()).position(|part| part == KEY) else { return false };
    let sizes = bytes[start + KEY.len()..].split(|&byte| byte == b')').next().unwrap_or(&[]);
    let sizes = String::from_utf8_lossy(sizes);
    let mut sizes = sizes.split([' ', '(', ',']).filter_map(|size| size.parse::<u64>().ok());
    sizes.try_fold(1u64, |product, size| product.checked_mul(size.max(1))).is_none()
}

/// An array of numbers that were of type `C`.
pub(super) fn of_reals<C: Real>(shape: &[usize], values: &[f64]) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    let shape = if let [along] = &*shape { format!("{along},") } else { shape.join(", ") };
    if C::NAME == "f32" {
        let bytes = values.iter().flat_map(|&value| (value as f32).to_le_bytes());
        return file("<f4", &shape, bytes);
    }
    file("<f8", &shape, values.iter().flat_map(|value| value.to_le_bytes()))
}

/// An array of labels, as scikit-learn has them: one dimension, 32 bits, signed.
pub(super) fn of_labels(labels: &[u32]) -> Vec<u8> {
    let bytes = labels.iter().flat_map(|&label| label.cast_signed().to_le_bytes());
    file("<i4", &format!("{},", labels.len()), bytes)
}

/// A file of version 1.0: numbers start at a multiple of 64 bytes.
fn file(element: &str, shape: &str, bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let mut header =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({shape}), }}");
    while !(MAGIC.len() + 2 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a short header");
    MAGIC.iter().copied().chain(length.to_le_bytes()).chain(header.bytes()).chain(bytes).collect()
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
        let back = read::<f64>(&of_reals::<f64>(&[3, 2], &values)).expect("an array");
        assert_eq!((back.values, back.columns), (values.to_vec(), 2));
        let back = read::<f32>(&of_reals::<f32>(&[2, 3], &values)).expect("an array");
        assert_eq!((back.values[2], back.columns), (1e-3, 3));
        let refused = read::<u8>(&of_reals::<f32>(&[2, 3], &values)).err().expect("an error");
        assert!(refused.contains("<f4; expected u8"), "{refused}");
        let labels = of_labels(&[3, 1, 2]);
        assert!(labels.len() == 128 + 12 && labels.ends_with(&[2, 0, 0, 0]));
    }
}
