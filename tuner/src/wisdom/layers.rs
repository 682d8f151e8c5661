//! Which files wisdom is read from, and which holds against which.
//!
//! What tilewise was shipped with is below what the user has tuned, and that is below a file the
//! caller names: whoever says more precisely what he wants is believed, however much evidence the
//! others have.

use super::{Entry, Error, Wisdom};
use std::collections::btree_map;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The records that were in the sources' `results/` when this was built, gathered by the build
/// script.
const SHIPPED: &str = include_str!(concat!(env!("OUT_DIR"), "/shipped.jsonl"));

/// Where a record was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It came with tilewise.
    Shipped,
    /// In this file.
    File(Arc<Path>),
    /// Nowhere: it was made by this process.
    Here,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Shipped => f.write_str("shipped with tilewise"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Here => f.write_str("not in a file"),
        }
    }
}

impl Wisdom {
    /// Where wisdom is kept unless another file is named: `tilewise/wisdom.jsonl` in the user's
    /// data folder. `None` for a user without one.
    pub fn default_path() -> Option<PathBuf> {
        dirs::data_dir().map(|folder| folder.join("tilewise").join("wisdom.jsonl"))
    }

    /// What came with tilewise: records of the machines in its `results/`.
    pub fn shipped() -> Wisdom {
        Wisdom::read(SHIPPED.as_bytes(), &Origin::Shipped)
    }

    /// What came with tilewise, and over it what the user has tuned.
    ///
    /// # Errors
    /// As [`Wisdom::load`]; a file that is not there is no error.
    pub fn load_default() -> Result<Wisdom, Error> {
        let mut wisdom = Wisdom::shipped();
        if let Some(path) = Wisdom::default_path() {
            wisdom.overlay(Wisdom::load(&path)?);
        }
        Ok(wisdom)
    }

    /// Puts another layer over this one: where both have a record about the same, the other's
    /// holds.
    pub fn overlay(&mut self, upper: Wisdom) {
        self.families = OnceLock::new();
        for (key, entry) in upper.entries {
            match self.entries.entry(key) {
                btree_map::Entry::Vacant(place) => _ = place.insert(entry),
                btree_map::Entry::Occupied(mut held) => {
                    let below: Entry = held.insert(entry);
                    self.overridden.push((key, below));
                }
            }
        }
        self.bad_lines.extend(upper.bad_lines);
        self.unused += upper.unused;
    }
}
