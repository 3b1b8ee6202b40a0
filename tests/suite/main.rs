//! The whole program over real sockets and files; one binary, so that it is linked once.

mod support;
mod training;
mod web;
