//! A fact about the machine, or why there is none.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What was read, or why it could not be.
///
/// In JSON the value itself, or `{"unreadable_because": "..."}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reading<T> {
    /// It was not to be had. (First, because any JSON value might pass for some `T`.)
    Unreadable {
        /// A sentence without a full stop, such as `/proc/meminfo: No such file`.
        unreadable_because: String,
    },
    /// The machine says so.
    Known(T),
}

impl<T> Reading<T> {
    /// Not to be had, and why.
    pub fn unreadable(because: impl Into<String>) -> Self {
        Reading::Unreadable { unreadable_because: because.into() }
    }

    /// The value, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Reading::Known(value) => Some(value),
            Reading::Unreadable { .. } => None,
        }
    }

    /// The same fact seen differently.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Reading::Known(value) => Reading::Known(f(value)),
            Reading::Unreadable { unreadable_because } => {
                Reading::Unreadable { unreadable_because }
            }
        }
    }
}

impl<T: fmt::Display> fmt::Display for Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::Known(value) => value.fmt(f),
            Reading::Unreadable { unreadable_because } => {
                write!(f, "unreadable because {unreadable_because}")
            }
        }
    }
}
