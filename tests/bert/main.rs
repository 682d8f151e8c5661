//! BERT from files to answers: what is read, what is refused, and what comes out.

mod accuracy;
mod exported;
mod folder;
mod forward;
mod laws;
mod models;
mod plain;
mod ranges;
mod read;
mod recorded;
mod text;
