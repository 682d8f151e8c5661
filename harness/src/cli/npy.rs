//! What the head of a `.npy` file says, and points read from the rest of it part by part.

use super::args::DtypeArg;
use super::points::Number;
use npyz::{DType, NpyHeader, Order};
use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::path::Path;
use tilewise::kmeans::{Reader, Reason};

/// Why a file holds no points.
#[derive(Debug, thiserror::Error)]
pub(super) enum NpyError {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("has a shape of more numbers than this machine can count")]
    Countless,
    #[error("no .npy array: {0}")]
    NoArray(io::Error),
    #[error("is in Fortran order; expected C order, a point after the other")]
    Columns,
    #[error("has records; expected f32, f64 or u8 numbers")]
    Records,
    #[error("has elements of type {0}; expected f32, f64 or u8")]
    Element(String),
    #[error("has elements of type {0}; expected u8, as --dtype says")]
    NoBytes(String),
    #[error("has {0} dimensions; expected 2, points by features")]
    Dimensions(usize),
    #[error("there are no numbers in it")]
    Empty,
    #[error(
        "is damaged, cut short or too long: {found} bytes of numbers; {shape} of {element} are \
         {expected}"
    )]
    Length { found: u64, shape: String, element: String, expected: u128 },
    #[error("is no file of a known length; expected one that can be read by place")]
    Unsized,
    #[error("row {row}, column {column} {reason}")]
    Value { row: u64, column: u64, reason: String },
}

/// Bytes of a file that its head is looked for in.
const HEAD: u64 = 1 << 20;

/// The head of a file.
pub(super) struct Head {
    pub(super) shape: Vec<u64>,
    /// The type of its elements, such as `<f4`.
    pub(super) element: String,
    /// Bytes of an element: 1, 4 or 8.
    pub(super) size: usize,
    /// Bytes before the first element.
    pub(super) length: usize,
    pub(super) header: NpyHeader,
}

impl Head {
    /// Reads the head of a file of `length` bytes that is to be read as `T`, from the first of them.
    pub(super) fn read<T: Number>(bytes: &[u8], length: u64) -> Result<Head, NpyError> {
        if sizes_overflow(bytes) {
            return Err(NpyError::Countless);
        }
        let mut rest = bytes;
        let header = NpyHeader::from_reader(&mut rest).map_err(NpyError::NoArray)?;
        if header.order() != Order::C {
            return Err(NpyError::Columns);
        }
        let DType::Plain(element) = header.dtype() else {
            return Err(NpyError::Records);
        };
        let element = element.to_string();
        let size = match &element[1..] {
            "u1" => 1,
            "f4" => 4,
            "f8" => 8,
            _ => return Err(NpyError::Element(element)),
        };
        if T::NAME == "u8" && size > 1 {
            return Err(NpyError::NoBytes(element));
        }
        let (shape, before) = (header.shape().to_vec(), bytes.len() - rest.len());
        let found = length.checked_sub(before as u64).ok_or(NpyError::Unsized)?;
        let expected = shape.iter().map(|&n| u128::from(n)).product::<u128>() * size as u128;
        if u128::from(found) != expected {
            let shape: Vec<String> = shape.iter().map(u64::to_string).collect();
            return Err(NpyError::Length { found, shape: shape.join(" x "), element, expected });
        }
        Ok(Head { shape, element, size, length: before, header })
    }

    /// Points and features.
    pub(super) fn points(&self) -> Result<(usize, usize), NpyError> {
        let &[rows, columns] = &*self.shape else {
            return Err(NpyError::Dimensions(self.shape.len()));
        };
        let count = |n| usize::try_from(n).map_err(|_| NpyError::Countless);
        Ok((count(rows)?, count(columns)?))
    }
}

/// Whether the product of the sizes of a head overflows, which its reader does not ask.
fn sizes_overflow(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"'shape':";
    let Some(start) = bytes.windows(KEY.len()).position(|part| part == KEY) else { return false };
    let sizes = bytes[start + KEY.len()..].split(|&byte| byte == b')').next().unwrap_or(&[]);
    let sizes = String::from_utf8_lossy(sizes);
    let mut sizes = sizes.split([' ', '(', ',']).filter_map(|size| size.parse::<u64>().ok());
    sizes.try_fold(1u64, |product, size| product.checked_mul(size.max(1))).is_none()
}

/// Points in a file, which stay there: read by place, so that threads do not wait for each other.
pub(super) struct Points<T> {
    file: File,
    n: usize,
    d: usize,
    head: Head,
    element: PhantomData<fn() -> T>,
}

/// A file that is to be read as `T`, and its head: nothing more of it is read.
fn open<T: Number>(path: &Path) -> Result<(File, Head), NpyError> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    (&file).take(HEAD).read_to_end(&mut bytes)?;
    let head = Head::read::<T>(&bytes, file.metadata()?.len())?;
    Ok((file, head))
}

/// All numbers of an array of any shape, once `check` has found nothing wrong with its head.
pub(super) fn read<T: Number>(
    path: &Path,
    check: impl FnOnce(&Head) -> Result<(), String>,
) -> Result<Vec<T>, String> {
    /// Numbers that are read at a time.
    const PART: usize = 1 << 18;
    let message = |error: NpyError| error.to_string();
    let (file, head) = open::<T>(path).map_err(message)?;
    check(&head)?;
    // As many as the file is long: they can be counted.
    let count = head.shape.iter().product::<u64>() as usize;
    let d = head.shape.last().map_or(1, |&along| along.max(1)) as usize;
    let points = Points { file, n: count / d, d, head, element: PhantomData };
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(count).map_err(|error| error.to_string())?;
    values.resize(count, T::default());
    let rows = (PART / d).max(1);
    for (index, part) in values.chunks_mut(rows * d).enumerate() {
        points.read(index * rows, part).map_err(|error| error.to_string())?;
        for (at, value) in part.iter_mut().enumerate() {
            let (row, column) = ((index * rows + at / d) as u64 + 1, (at % d) as u64 + 1);
            let number = T::of((*value).into());
            *value = number.map_err(|reason| message(NpyError::Value { row, column, reason }))?;
        }
    }
    Ok(values)
}

impl<T: Number> Points<T> {
    pub(super) fn open(path: &Path) -> Result<Self, NpyError> {
        let (file, head) = open::<T>(path)?;
        let (n, d) = head.points()?;
        if n == 0 || d == 0 {
            return Err(NpyError::Empty);
        }
        Ok(Points { file, n, d, head, element: PhantomData })
    }

    /// What its numbers are.
    pub(super) fn dtype(&self) -> DtypeArg {
        match self.head.size {
            1 => DtypeArg::U8,
            4 => DtypeArg::F32,
            _ => DtypeArg::F64,
        }
    }

    /// Bytes of all numbers once they are `T`.
    pub(super) fn wide(&self) -> u64 {
        (self.n as u64).saturating_mul(self.d as u64).saturating_mul(size_of::<T>() as u64)
    }

    /// Bytes of all numbers.
    pub(super) fn bytes(&self) -> u64 {
        self.n as u64 * self.d as u64 * self.head.size as u64
    }

    /// Numbers of another type than `T`, or of another machine's order of bytes.
    fn convert(&self, first: usize, bytes: &[u8], to: &mut [T]) -> Result<(), NpyError> {
        let big = self.head.element.starts_with('>');
        for (at, (bytes, to)) in bytes.chunks_exact(self.head.size).zip(to).enumerate() {
            let mut number = [0; 8];
            let number = &mut number[..bytes.len()];
            number.copy_from_slice(bytes);
            if big {
                number.reverse();
            }
            let value = match *number {
                [byte] => f64::from(byte),
                [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
                [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
                _ => unreachable!("elements have 1, 4 or 8 bytes"),
            };
            let (row, column) = ((first + at / self.d) as u64 + 1, (at % self.d) as u64 + 1);
            *to = T::of(value).map_err(|reason| NpyError::Value { row, column, reason })?;
        }
        Ok(())
    }
}

impl<T: Number> Reader<T> for Points<T> {
    fn n(&self) -> usize {
        self.n
    }

    fn d(&self) -> usize {
        self.d
    }

    fn read(&self, first: usize, rows: &mut [T]) -> Result<(), Reason> {
        let Head { size, length, ref element, .. } = self.head;
        let at = length as u64 + first as u64 * self.d as u64 * size as u64;
        let native = cfg!(target_endian = "little") && !element.starts_with('>');
        if native && size == size_of::<T>() {
            return Ok(read_at(&self.file, bytemuck::cast_slice_mut(rows), at)?);
        }
        let mut bytes = vec![0; rows.len() * size];
        read_at(&self.file, &mut bytes, at)?;
        Ok(self.convert(first, &bytes, rows)?)
    }
}

#[cfg(unix)]
fn read_at(file: &File, to: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, to, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut to: &mut [u8], mut at: u64) -> io::Result<()> {
    while !to.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, to, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (to, at) = (&mut to[read..], at + read as u64);
    }
    Ok(())
}
