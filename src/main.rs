//! The `wslens` command: see `wslens --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
