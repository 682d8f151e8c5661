//! BERT from files to answers: what is read, what is refused, and what comes out.

mod accuracy;
mod exported;
mod folder;
mod follow;
mod forward;
mod laws;
mod models;
mod overflow;
mod plain;
mod prepared;
mod ranges;
mod read;
mod recorded;
mod spoilt;
mod text;
