//! Where a model's tensors come from: a checkpoint on disk, with every name in use for them.
//!
//! Checkpoints of a task model put `bert.` before the encoder's names; old ones call the weight
//! and bias of a layer norm gamma and beta. Knows nothing of what tensors are for.

use super::Error;
use memmap2::Mmap;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};
use serde_json::{Map, Value};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Gives tensors by name, as `f32` in rows.
pub trait Source {
    /// The tensor of that name and shape.
    ///
    /// # Errors
    /// Those that say it is not there, or is another.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error>;

    /// Whether there is such a tensor.
    fn has(&self, name: &str) -> bool;
}

/// A file of tensors in the safetensors format, mapped into memory.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    map: Mmap,
    header: Metadata,
    /// Where data begins in the file.
    start: usize,
}

impl Checkpoint {
    /// Maps model.safetensors of a model's folder and reads its header.
    ///
    /// # Errors
    /// [`Error::Read`], and [`Error::Malformed`] for a header that does not fit the file.
    pub fn open(folder: &Path) -> Result<Checkpoint, Error> {
        let path = folder.join("model.safetensors");
        let others = ["pytorch_model.bin", "model.safetensors.index.json"];
        let file = File::open(&path).map_err(|error| Error::of_model(&path, &others, error))?;
        if file.metadata().is_ok_and(|file| file.is_dir()) {
            return Err(Error::malformed(&path, "it is a folder; expected a file"));
        }
        let map = map(&file).map_err(|error| Error::read(&path, error))?;
        let (length, header) = read(&map).map_err(|reason| {
            Error::malformed(&path, format!("not a safetensors file: {reason}"))
        })?;
        Ok(Checkpoint { path, map, header, start: length + size_of::<u64>() })
    }

    /// The tensor under any of its names.
    fn find(&self, name: &str) -> Option<&TensorInfo> {
        let old = name
            .strip_suffix("LayerNorm.weight")
            .map(|stem| format!("{stem}LayerNorm.gamma"))
            .or_else(|| name.strip_suffix("LayerNorm.bias").map(|s| format!("{s}LayerNorm.beta")));
        [Some(name.to_owned()), old].into_iter().flatten().find_map(|name| {
            self.header.info(&name).or_else(|| self.header.info(&format!("bert.{name}")))
        })
    }
}

impl Source for Checkpoint {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let (path, tensor) = (self.path.clone(), name.to_owned());
        let Some(info) = self.find(name) else {
            return Err(Error::MissingTensor { path, name: tensor });
        };
        if info.shape != shape {
            let (given, expected) = (info.shape.clone(), shape.to_vec());
            return Err(Error::TensorShape { path, name: tensor, given, expected });
        }
        let (from, to) = info.data_offsets;
        let bytes = self.map.get(self.start + from..self.start + to).ok_or_else(|| {
            Error::malformed(&path, format!("{name:?} ends past the end of the file"))
        })?;
        let values: Vec<f32> = match info.dtype {
            Dtype::F32 => {
                bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
            }
            Dtype::F16 => {
                bytes.as_chunks().0.iter().map(|&b| half(u16::from_le_bytes(b))).collect()
            }
            other => {
                return Err(Error::TensorType { path, name: tensor, given: format!("{other:?}") });
            }
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(Error::NotFinite { path, name: tensor, index }),
            None => Ok(values),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

#[allow(unsafe_code, reason = "mapping a file into memory")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: nothing else writes to a model's file while it is read, which is what memory-mapped
    // files ask of those who run the program; every range of it is checked before it is read.
    unsafe { Mmap::map(file) }
}

/// The length of a file's header and what it says. The format's own reader adds places up before it
/// compares them with the file, which must not be past all numbers.
fn read(file: &[u8]) -> Result<(usize, Metadata), String> {
    match last_place(file) {
        Some(place) if place > file.len() as u64 => {
            Err(format!("its header names byte {place} of {}", file.len()))
        }
        _ => SafeTensors::read_metadata(file).map_err(|error| error.to_string()),
    }
}

/// The last place that the header of a file names; nothing where there is no such header.
fn last_place(file: &[u8]) -> Option<u64> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let entries: Map<String, Value> = serde_json::from_slice(header).ok()?;
    entries.values().filter_map(|entry| entry["data_offsets"][1].as_u64()).max()
}

/// The number a 16-bit float (IEEE 754 binary16) stands for, which 32 bits hold exactly.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(bits >> 15) << 31, u32::from(bits >> 10) & 31, u32::from(bits) & 0x3ff);
    let size = match exponent {
        0 => fraction as f32 / (1 << 24) as f32,
        31 => f32::from_bits(0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(((exponent + 112) << 23) | (fraction << 13)),
    };
    f32::from_bits(size.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_what_the_standard_says() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert!(half(0x8000).is_sign_negative() && half(0x7c00).is_infinite());
        assert!(half(0x7e00).is_nan());
    }
}
