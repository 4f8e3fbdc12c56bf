//! Tells the program which compiler builds it.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let text = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    // `rustc 1.88.0 (6b00bc388 2025-06-23)`
    let version: Vec<_> = text.split_whitespace().take(2).collect();
    println!("cargo::rustc-env=TRUENAME_BENCH_COMPILER={}", version.join(" "));
}
