//! Guesses the photos named on the command line:
//!
//!     cargo run --release --no-default-features --example guess -- photo.jpg

use faceguesser::{Analysis, Guesser};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guesser = Guesser::builtin()?;
    for path in std::env::args_os().skip(1) {
        let name = path.to_string_lossy().into_owned();
        match guesser.guess(&std::fs::read(&path)?) {
            Ok(analysis) => print_faces(&name, &analysis),
            Err(error) => println!("{name}: {error}"),
        }
    }
    Ok(())
}

fn print_faces(name: &str, analysis: &Analysis) {
    println!("{name}: {} faces", analysis.faces.len());
    for face in &analysis.faces {
        let (from, to) = face.age_range();
        println!(
            "  {:?} of about {:.0} ({from:.0} to {to:.0}), smile {:.2}, confidence {:.2}, {:?}",
            face.gender(),
            face.age(),
            face.smile_probability().unwrap_or(f32::NAN),
            face.confidence(),
            face.flaws
        );
    }
}
