//! Has the crate compiled again when a migration comes: the migrations are a part of it (`database/migrations.rs`), and cargo
//! watches only those that are in it already.
//!
//! Come here when the migrations move to another folder.

fn main() {
    println!("cargo::rerun-if-changed=../../../migrations");
}
