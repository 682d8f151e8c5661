//! Questions about paragraphs: SQuAD's files, the windows a model reads, and the answer its
//! scores point at.
//!
//! A paragraph longer than a model can read is read in [windows](Window) that overlap; the
//! [answer](Best) is the best pair of a start and an end over all of them.

mod answer;
mod data;
mod window;

pub use answer::{Answer, Best, Unanswered};
pub use data::{Question, read};
pub use window::{Cut, Stride, Window, Windowing};
