//! Saves what the network sees: each face of a photo as 128×128 grey pixels.
//!
//!     cargo run --release --no-default-features --example crops -- photo.jpg out/

use std::path::PathBuf;

use faceguesser::Guesser;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [photo, folder] = [1, 2].map(|index| std::env::args_os().nth(index).map(PathBuf::from));
    let (Some(photo), Some(folder)) = (photo, folder) else { return Err("usage: crops PHOTO FOLDER".into()) };
    std::fs::create_dir_all(&folder)?;
    let analysis = Guesser::builtin()?.guess(&std::fs::read(photo)?)?;
    for (index, face) in analysis.faces.iter().enumerate() {
        let path = folder.join(format!("{}.png", index + 1));
        face.crop.to_image().save(&path)?;
        println!("{}: about {:.0}", path.display(), face.age());
    }
    Ok(())
}
