//! The only place that builds things and puts them together.
