//! An explanation as JSON: every number, with its pictures as data URLs. Scripts and the chat page rely on its format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, GrayImage, ImageEncoder};
use serde_json::{Value, json};

use super::ReplyStyle;
use crate::FaceAnalysis;
use crate::explain::draw;
use crate::explain::filters::Favourite;
use crate::explain::occlusion::{self, Area};
use crate::explain::{Explanation, FilterMap, Votes};

/// The explanation, in the order of the card's parts; genders are null where the style leaves them out.
pub fn report(explanation: &Explanation, style: &ReplyStyle) -> Value {
    let face = &explanation.face;
    let (estimate, frame) = (&face.estimate, &face.frame);
    let bounds = [face.bounds.x, face.bounds.y, face.bounds.w, face.bounds.h].map(|value| rounded(value, 1));
    let tells_genders = style.tells_genders();
    json!({
        "face": explanation.index + 1,
        "faces": explanation.faces,
        "box": bounds,
        // The square that the network gets: its centre and side in pixels of the upright photo, its roll in radians.
        "frame": { "x": frame.center_x, "y": frame.center_y, "side": frame.side, "roll": frame.roll },
        "note": style.language.message("explain-note"),
        "numbers": numbers(explanation),
        "filter": filter(explanation),
        "votes": {
            "side": explanation.age_votes.side,
            "age": with(votes(&explanation.age_votes), "year", json!(explanation.voted_year())),
            "gender": tells_genders.then(|| votes(&explanation.gender_votes)),
            "rank_correlation": rounded(explanation.age_votes.rank_correlation, 3),
            "shaky": explanation.age_votes.is_shaky(),
        },
        "occlusion": covered(explanation),
        "vote": {
            "probabilities": estimate.age_probabilities.iter().map(|share| rounded(*share, 5)).collect::<Vec<_>>(),
            "median": rounded(estimate.age(), 2),
            "low": rounded(estimate.age_interval.0, 2),
            "high": rounded(estimate.age_interval.1, 2),
            "female_probability": tells_genders.then(|| rounded(estimate.female_probability, 4)),
            "sure": style.is_sure(face),
        },
        "change": change(explanation, style),
    })
}

fn numbers(explanation: &Explanation) -> Value {
    let (width, height) = explanation.photo;
    let pixels = explanation.face.crop.pixels();
    let side = explanation.crop_side();
    let count = pixels.len().max(1) as f32;
    let mean = pixels.iter().map(|value| f32::from(*value)).sum::<f32>() / count;
    let variance = pixels.iter().map(|value| (f32::from(*value) - mean).powi(2)).sum::<f32>() / count;
    let grey = u64::from(width) * u64::from(height);
    json!({
        "photo_width": width,
        "photo_height": height,
        "colour_numbers": 3 * grey,
        "grey_numbers": grey,
        "crop_side": side,
        "crop_numbers": pixels.len(),
        "original": jpeg(&DynamicImage::ImageRgb8(explanation.view.picture.clone())),
        "grey": png(pixels, side),
        "mean": rounded(mean, 2),
        // The divisor of the standardisation with its lower bound, so that a flat crop stays flat.
        "deviation": rounded(variance.max(16.0).sqrt(), 2),
        "first_row": pixels[..side],
    })
}

fn filter(explanation: &Explanation) -> Value {
    let at_work = &explanation.at_work;
    let round = |values: &[f32]| values.iter().map(|value| rounded(*value, 4)).collect::<Vec<_>>();
    let strongest = |map: &FilterMap| {
        json!({
            "filter": map.filter,
            "weights": round(&map.weights),
            "bias": rounded(map.bias, 4),
            "mean": rounded(map.mean, 4),
            "peak": rounded(map.peak, 4),
            "map_side": map.side,
            "map": png(&crate::explain::draw::activations(&map.map), map.side),
        })
    };
    let favourite = |Favourite { left, top, side, peak, pixels }: &Favourite| json!({ "x": left, "y": top, "side": side, "peak": rounded(*peak, 4), "patch": png(pixels, *side) });
    let deep = &explanation.deep;
    json!({
        "kernel": 3,
        "stride": crate::explain::filters::STRIDE,
        "filters": explanation.filters,
        "at_work": {
            "filter": at_work.filter,
            "left": at_work.left,
            "top": at_work.top,
            "pixels": at_work.pixels,
            "inputs": round(&at_work.inputs),
            "weights": round(&at_work.weights),
            "products": round(&at_work.products),
            "sum": rounded(at_work.sum, 4),
            "bias": rounded(at_work.bias, 4),
            "output": rounded(at_work.output, 4),
        },
        "strongest": explanation.strongest.iter().map(strongest).collect::<Vec<_>>(),
        "deep": {
            "channel": deep.channel,
            "channels": deep.channels,
            "map_side": deep.side,
            "map": round(&deep.map),
            "peak": rounded(deep.here.peak, 4),
            "here": favourite(&deep.here),
            "mean_face": favourite(&deep.mean_face),
        },
    })
}

fn votes(votes: &Votes) -> Value {
    // Unrounded, so that the cells sum to the logit.
    json!({ "cells": votes.cells, "bias": votes.bias, "logit": votes.logit })
}

fn covered(explanation: &Explanation) -> Value {
    let map = &explanation.occlusion;
    let region = |(region, years): &(occlusion::Region, f32)| {
        let Area { left, top, width, height } = region.area();
        let years = rounded(*years, 2);
        json!({ "name": region.name(), "years": years, "left": left, "top": top, "width": width, "height": height })
    };
    json!({
        "side": occlusion::GRID,
        "patch": occlusion::PATCH,
        "stride": occlusion::STRIDE,
        "age": rounded(map.age, 2),
        "years": map.years.iter().map(|years| rounded(*years, 3)).collect::<Vec<_>>(),
        "regions": map.regions.iter().map(region).collect::<Vec<_>>(),
        "rank_correlation": rounded(map.rank_correlation, 3),
        "shaky": map.is_shaky(),
    })
}

fn change(explanation: &Explanation, style: &ReplyStyle) -> Value {
    let guess = |face: &FaceAnalysis| {
        let (low, high) = face.age_range();
        let pixels = face.crop.pixels().to_vec();
        let side = explanation.crop_side() as u32;
        let picture = GrayImage::from_raw(side, side, pixels).unwrap_or_default();
        json!({
            "age": rounded(face.age(), 2),
            "low": rounded(low, 2),
            "high": rounded(high, 2),
            "sure": style.is_sure(face),
            "picture": jpeg(&DynamicImage::ImageLuma8(picture)),
        })
    };
    let same = with(guess(&explanation.face), "name", json!("same"));
    let others = explanation
        .framings()
        .into_iter()
        .map(|change| with(guess(&explanation.changed(change)), "name", json!(change.kind.name())));
    let tips = explanation.tipping(|face| style.is_sure(face)).map(|change| {
        let guess = guess(&explanation.changed(change));
        let guess = with(guess, "kind", json!(change.kind.name()));
        with(with(guess, "amount", json!(change.amount)), "text", json!(style.tipping(explanation)))
    });
    json!({
        "framings": std::iter::once(same).chain(others).collect::<Vec<_>>(),
        "tips_it": tips,
        "tried": explanation.changes.len(),
    })
}

/// The object with one more field.
fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

/// Rounded to this many decimals, without the digits that appear when an `f32` is widened.
fn rounded(value: f32, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (f64::from(value) * scale).round() / scale
}

/// A grey picture as a data URL; empty if it cannot be encoded.
fn png(pixels: &[u8], side: usize) -> String {
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive);
    match encoder.write_image(pixels, side as u32, side as u32, image::ExtendedColorType::L8) {
        Ok(()) => format!("data:image/png;base64,{}", STANDARD.encode(png)),
        Err(_) => String::new(),
    }
}

/// A picture as the data URL of a JPEG; empty if it cannot be encoded.
fn jpeg(picture: &DynamicImage) -> String {
    match draw::jpeg(&picture.to_rgb8(), 85) {
        Ok(jpeg) => format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)),
        Err(_) => String::new(),
    }
}
