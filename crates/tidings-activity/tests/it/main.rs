//! The behaviour of the crate as its users see it.

mod build;
mod cards;
mod decode;
mod entities;
mod json;
mod mention;
mod names;
mod open_enums;
mod property;
mod reference;
mod round_trip;
mod views;
