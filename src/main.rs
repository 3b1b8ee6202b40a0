//! The `faceguesser` program; see [`faceguesser::cli`].

fn main() -> std::process::ExitCode {
    faceguesser::cli::main()
}
