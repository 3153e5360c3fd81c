//! The seeds of the fuzz targets, and what the fuzzer found, through the same door as in `fuzz/`.
