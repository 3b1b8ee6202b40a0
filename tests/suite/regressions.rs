//! The index of fixed bugs: each with the test that catches it.
//!
//! Small tests are in this file, others next to the set-up that they need. `the_index_names_existing_tests`
//! checks that every row names a test, or a fuzzing seed, that exists. Without a test: a button on Discord
//! pressed before Discord has returned the id of its message; a gateway session whose replay takes longer than
//! the wait for `RESUMED`; a room on Matrix that is not joined within five minutes, or whose history cannot be
//! received for three; a decoder that panics while it reads an animation's frames.
//!
//! # Photos
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | A phone's motion photo, a missing end marker or a second picture that was cut made a whole picture "cut short" | `a_picture_with_trailing_data_or_without_its_end_marker_is_whole` | `tests/suite/regressions.rs` |
//! | A picture with most of its rows was refused | `a_picture_with_most_of_its_rows_is_answered_and_said_to_be_cut_short` | `tests/suite/regressions.rs` |
//! | AVIF, HEIC and arithmetic-coded JPEG were called damaged, or a video | `an_unsupported_format_is_named_and_not_called_damaged_or_a_video` | `tests/suite/regressions.rs` |
//! | Two parsers read different sizes from one JPEG: 4.3 GB for 19 s | `two_parsers_that_read_different_sizes_reserve_nothing` | `tests/suite/regressions.rs` |
//! | Faces in a tall strip became too small to be found | `everybody_in_a_tall_strip_and_in_groups_is_found` | `tests/suite/regressions.rs` |
//! | An animation that fades in had no face, as only its first frame was analysed | `an_animation_that_fades_in_is_analysed_at_later_frames` | `tests/suite/regressions.rs` |
//! | A WebP or GIF that ended early was "damaged" instead of cut short | `three_quarters_of_a_picture_are_decoded_and_reported_as_cut_short_in_every_format` | `vision/src/photo/decode/tests.rs` |
//! | A PNG with wrong checksums or without its end chunk was "damaged" | `a_png_is_decoded_with_wrong_checksums_and_without_its_end` | `vision/src/photo/decode/tests.rs` |
//! | A WebP with a missing chunk next to its picture was "damaged" | `a_webp_is_decoded_if_chunks_other_than_its_picture_are_missing` | `vision/src/photo/decode/tests.rs` |
//! | The iPhone's own PNG variant was "damaged" | `an_iphone_app_png_is_named_as_such` | `vision/src/photo/decode/tests.rs` |
//! | Bytes after a JPEG were parsed as part of it | `what_follows_the_picture_does_not_matter` | `vision/src/photo/jpeg/tests.rs` |
//! | A motion photo without its end marker was taken for another kind of JPEG, or for damaged: markers in its video counted | `markers_after_a_picture_without_its_end_marker_are_not_part_of_it` | `vision/src/photo/jpeg/tests.rs` |
//! | OpenEXR, EPS, PPM and other kinds of pictures were called no pictures | `pictures_that_are_not_decoded_are_never_called_no_picture` | `vision/src/photo/sniff.rs` |
//! | A lossless WebP that ended early was refused, and of a lossy one rows that were not there were shown | `three_quarters_of_a_picture_are_decoded_and_reported_as_cut_short_in_every_format` | `vision/src/photo/decode/tests.rs` |
//! | A WebP that contradicts itself was said to be cut short | `a_webp_whose_picture_is_not_of_its_canvas_size_is_damaged_and_not_cut_short` | `vision/src/photo/decode/tests.rs` |
//! | Unknown brands of HEIF were taken for videos | `every_brand_of_heif_is_a_picture_and_none_a_video` | `vision/src/photo/sniff.rs` |
//! | Camera raw files were not named, as they look like TIFF | `camera_raw_is_named_by_its_maker` | `vision/src/photo/sniff.rs` |
//! | An EXIF orientation of an unusual type or byte order was ignored | `every_type_and_byte_order_of_the_tag_is_read` | `vision/src/photo/orientation.rs` |
//! | A broken EXIF block hid the XMP orientation | `a_broken_block_does_not_hide_a_valid_one_or_xmp` | `vision/src/photo/orientation.rs` |
//! | HEIC metadata of 60 kB that claims millions of extents exhausted memory | `metadata_that_claims_more_than_it_has_neither_exhausts_memory_nor_takes_seconds` | `src/fuzzing/heic_bombs.rs` |
//! | Several large photos at once exhausted memory | `reservations_never_exceed_the_budget_and_all_are_granted` | `vision/src/photo/memory.rs` |
//! | A JPEG of thousands of scans kept a worker busy for seconds | `too_many_scans_are_refused` | `vision/src/photo/jpeg/tests.rs` |
//! | Files within every size limit took many seconds of processor time | `the_costliest_permitted_files_take_no_longer_than_one_photo_may` | `tests/suite/corpus.rs` |
//! | A picture without pixels was given to the decoders | `a_picture_without_pixels_is_damaged` | `tests/suite/regressions.rs` |
//! | A PNG palette that ends inside an entry was given to a decoder that relies on whole ones | `a_png_palette_that_ends_inside_an_entry_is_damaged` | `tests/suite/regressions.rs` |
//! | JPEG scans that repeat a bit were decoded differently by each decoder | `a_jpeg_scan_that_repeats_a_bit_is_damaged_for_the_general_decoder` | `tests/suite/regressions.rs` |
//! | Any other input that fuzzing found broke an invariant | `inputs_that_fuzzing_found_are_answered_or_refused` | `tests/suite/regressions.rs` |
//! | … a GIF frame that is taller than its screen | `regression-frame-taller-than-its-screen` | `fuzz/seeds/gif` |
//! | … a wide, flat JPEG whose rows were missing from the memory reservation | `regression-rows-of-a-wide-flat-picture` | `fuzz/seeds/jpeg_general` |
//! | … a WebP picture that is larger than its canvas | `regression-picture-larger-than-its-canvas` | `fuzz/seeds/webp` |
//! | … a frame of an animated WebP that is smaller than its picture | `regression-moving-frame-smaller-than-its-picture` | `fuzz/seeds/animation` |
//! | … the same with transparency | `regression-moving-clear-frame-smaller-than-its-picture` | `fuzz/seeds/animation` |
//!
//! # Faces and guesses
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | Turned photos differed by more than half a year from the upright one | `every_exif_orientation_gives_the_same_guess` | `tests/suite/face.rs` |
//! | The age range held on average, but not at every age | `coverage_is_right_at_every_age_even_where_predictions_are_biased` | `src/evaluation/calibration.rs` |
//! | The age range missed small children, as ages were fitted to a point and not to the whole year | `intervals_a_few_years_wide_have_the_same_coverage_as_wide_ones` | `src/evaluation/calibration.rs` |
//! | A child whose gender was a coin toss was called a girl or a boy | `children_of_uncertain_gender_are_not_called_girls_or_boys` | `src/bot/wording.rs` |
//! | The chat page showed a gender that the reply left out | `the_page_shows_a_womans_gender_and_no_babys` | `tests/suite/browser.rs` |
//! | A gender that is never shown counted as a wrong one | `unreported_genders_count_neither_as_reported_nor_as_wrong` | `src/evaluation/mod.rs` |
//! | The page and the reply rounded ages differently: 18.46 was "18" and "19" | `ages_with_one_decimal_round_to_the_years_of_the_text` | `src/bot/report.rs` |
//! | *Take photo* on the chat page did nothing if it was pressed before the camera's first picture | `the_camera_fits_a_phone_on_its_side` | `tests/suite/browser.rs` |
//! | Weights trained on their validation faces were calibrated and scored on them as if unseen | `weights_trained_on_their_validation_faces_are_not_calibrated_on_them` | `tests/suite/evaluation.rs` |
//!
//! # Command line and configuration
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | `calibrate` blamed `--weights` for a bad `--calibration-from` file | `calibrate_names_the_option_whose_file_is_invalid` | `tests/suite/regressions.rs` |
//! | A command failed when its output was not read to the end | `a_command_whose_output_is_not_read_to_the_end_succeeds` | `tests/suite/regressions.rs` |
//! | A Matrix account with a password was ignored in builds without Matrix | `a_build_without_matrix_says_so_if_there_is_an_account_also_one_with_a_password` | `tests/suite/cli.rs` |
//! | A settings file that could not be written whole stayed behind | `init_leaves_nothing_behind_where_the_settings_file_cannot_be_written` | `tests/suite/cli.rs` |
//! | A mistyped address of a NATS server was printed with its password | `an_address_with_a_mistake_is_named_without_its_password` | `src/cluster/mod.rs` |
//! | A setting that is not UTF-8 caused a panic | `a_setting_that_is_not_utf_8_is_refused_by_name` | `tests/suite/regressions.rs` |
//! | The debug log held SQL | `the_debug_log_holds_no_sql` | `tests/suite/regressions.rs` |
//! | Of two settings that contradict each other, the one with its default was blamed, on another key's line; deadlines of zero were valid | `the_setting_that_was_set_is_blamed_and_a_deadline_of_zero_refused` | `src/config/tests.rs` |
//! | A single channel id in a variable was not accepted as a list | `variables_win_over_the_file_and_the_file_over_the_defaults` | `src/config/tests.rs` |
//! | An invalid setting was reported without its line or variable; a quoted table name with a dot hid the line | `what_is_wrong_is_named_with_its_file_and_line_or_its_variable` | `src/config/tests.rs` |
//!
//! # Load and shutdown
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | One person's flood delayed everybody's portraits by seconds | `a_portrait_waits_for_the_photo_in_progress_and_not_for_a_flood` | `tests/suite/fairness.rs` |
//! | A busy person's photos went first as they had arrived first | `the_flow_with_the_least_attained_service_goes_first` | `src/inference/queue.rs` |
//! | Large blocks were not returned to the system: 1.06 GB with twelve large files | `many_requests_with_the_largest_files_stay_within_the_memory_budget` | `tests/suite/memory.rs` |
//! | A second Ctrl-C waited for the replies in progress, or was lost in the moment after the first | `a_second_signal_does_not_wait_for_replies_in_progress` | `tests/suite/stopping.rs` |
//! | A download that never ends kept the program from stopping | `a_download_that_never_ends_does_not_keep_the_program_from_stopping` | `tests/suite/stopping.rs` |
//! | A file host's single failure lost the photo | `a_photo_survives_a_single_failure_of_its_host` | `tests/suite/download.rs` |
//!
//! # Store
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | `/forget` left names in the database's free pages and its log | `what_is_forgotten_is_in_no_file_on_disk` | `src/bot/sqlite/tests.rs` |
//! | One of two settings changed at the same time was lost | `changes_made_at_the_same_time_all_hold` | `tests/suite/stores.rs` |
//! | Others on the machine could read the database | `only_the_owner_can_read_the_file` | `src/bot/sqlite/tests.rs` |
//! | Who guessed in a game stayed in NATS for ever if the game was dropped or forgotten | `who_guessed_in_a_game_is_forgotten_with_it` | `tests/suite/cluster.rs` |
//! | Settings in NATS that lacked one value counted as missing whole | `entries_of_other_versions_keep_what_is_known` | `src/cluster/settings.rs` |
//! | A game's last guess could be lost as the game ended | `a_guess_that_races_with_the_end_of_its_game_counts_or_is_refused` | `tests/suite/stores.rs` |
//! | A killed program forgot its photos | `a_job_survives_restarts_until_it_is_finished` | `src/bot/sqlite/tests.rs` |
//! | Short texts of an album left their share of the characters unused while long ones were cut | `long_texts_get_what_short_ones_leave` | `src/bot/album.rs` |
//!
//! # Discord
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | serenity dropped events that it could not parse, and logged them | `a_message_of_unexpected_form_is_answered_and_not_logged` | `tests/suite/discord_links.rs` |
//! | serenity started a refused session every five seconds | `refused_sessions_are_started_again_after_growing_pauses` | `tests/suite/discord_gateway.rs` |
//! | serenity used another gateway where the lookup failed | `a_failed_gateway_lookup_is_retried_and_no_default_used` | `tests/suite/discord_gateway.rs` |
//! | Sessions were started although none was left that day | `no_session_is_started_while_discord_grants_none` | `tests/suite/discord_gateway.rs` |
//! | A fatal close code was retried for ever | `fatal_close_codes_stop_the_bot_with_an_explanation` | `tests/suite/discord_gateway.rs` |
//! | A broken connection lost messages | `a_session_is_resumed_however_its_connection_ends` | `tests/suite/discord_gateway.rs` |
//! | An orderly stop ended the session, and what was posted until the next start was lost | `what_is_posted_between_an_orderly_stop_and_the_next_start_is_answered` | `tests/suite/discord_kills.rs` |
//! | A RESUME without an answer cost the session | `a_session_whose_resume_is_not_answered_is_resumed_over_another_connection` | `tests/suite/discord_gateway.rs` |
//! | A look-up of the gateway was used days later | `a_lookup_is_used_once_and_only_for_a_minute` | `src/platform/discord/gateway/identify.rs` |
//! | Photos taken while the program stopped were lost, as the gateway closed after the last replies | `pending_photos_are_answered_at_shutdown` | `tests/suite/discord.rs` |
//! | Requests without Discord's User-Agent were blocked | `the_stand_in_requires_discords_user_agent_format` | `tests/suite/discord_refusals.rs` |
//! | A 502, a reply cut short or a proxy's 403 page lost the reply | `a_reply_is_retried_after_5xx_truncated_responses_and_429s` | `tests/suite/discord_refusals.rs` |
//! | 429 with a `Retry-After` of zero caused a flood of requests | `a_429_without_a_wait_does_not_cause_a_flood_of_retries` | `tests/suite/discord_refusals.rs` |
//! | A channel lookup that fails delayed the reply | `a_failing_channel_lookup_delays_no_answer_for_long` | `tests/suite/discord_refusals.rs` |
//! | A refused `message_reference` lost the reply | `a_refused_reference_is_left_out_and_not_sent_twice` | `tests/suite/discord_refusals.rs` |
//! | An expired link lost the photo | `an_expired_link_is_renewed_once` | `tests/suite/discord_links.rs` |
//! | Pictures in Components V2 were not found | `pictures_in_components_are_processed` | `tests/suite/discord_links.rs` |
//! | A spoiler was shown uncovered | `spoilers_are_never_shown_unmarked` | `tests/suite/discord_links.rs` |
//! | A message that Discord does not show again was lost after a kill | `a_message_that_discord_does_not_show_again_is_answered_by_the_next_run` | `tests/suite/discord_kills.rs` |
//!
//! # Telegram
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | teloxide dropped updates that it could not parse | `photos_in_messages_that_typed_parsers_drop_are_answered` | `tests/suite/telegram_incoming.rs` |
//! | An update with an unknown part next to a known one was dropped | `unknown_kinds_of_updates_are_reported_by_name_alone` | `src/platform/telegram/updates.rs` |
//! | An update id beyond 32 bits was never confirmed, so that Telegram sent the update again and again | `an_update_id_beyond_32_bits_is_confirmed` | `tests/suite/regressions.rs` |
//! | Edited captions were ignored where the machine's clock was wrong | `an_edited_caption_is_answered_whatever_this_machines_clock_shows` | `tests/suite/telegram_incoming.rs` |
//! | A photo quoted from another chat was not found | `a_photo_quoted_from_another_chat_is_guessed_and_its_buttons_find_it` | `tests/suite/telegram_incoming.rs` |
//! | Late album parts got no reply | `late_album_parts_are_added_to_the_reply_to_the_others` | `tests/suite/telegram_albums.rs` |
//! | A webhook that could not be deleted at the start blocked updates for good | `a_webhook_that_could_not_be_deleted_at_the_start_is_deleted_later` | `tests/suite/telegram_polling.rs` |
//! | A TLS failure was reported as any other trouble | `a_tls_error_is_logged_as_such` | `tests/suite/telegram_polling.rs` |
//! | A server that accepts and never answers blocked the photo for ever | `a_server_that_accepts_and_never_responds_is_retried_within_the_time_limit` | `tests/suite/telegram_files.rs` |
//! | A refused picture lost the text with it | `a_refused_picture_is_left_out_and_the_text_is_sent` | `tests/suite/telegram_refusals.rs` |
//! | A failed edit lost the answer | `an_answer_whose_message_can_no_longer_be_edited_is_sent_as_a_new_message` | `tests/suite/telegram_refusals.rs` |
//! | A closed topic lost the reply | `a_closed_or_deleted_topic_is_answered_in_the_general_one` | `tests/suite/telegram_refusals.rs` |
//! | A covered or protected photo was copied in the open | `replies_to_photos_with_a_spoiler_or_protected_content_keep_these_flags` | `tests/suite/telegram_covers.rs` |
//! | *Delete* failed after 48 hours | `a_reply_that_is_too_old_to_be_deleted_is_emptied` | `tests/suite/telegram_covers.rs` |
//! | Admins who write as their group could not delete replies | `a_reply_requested_on_behalf_of_a_group_can_be_deleted_by_its_admins` | `tests/suite/telegram_buttons.rs` |
//! | Photos admitted before a restart counted twice against the rate limit | `photos_admitted_by_the_last_run_are_not_counted_again_by_the_next_run` | `tests/suite/telegram_kills.rs` |
//! | A job stored by another version was dropped | `a_photo_whose_reference_another_version_wrote_gets_an_apology` | `tests/suite/telegram_kills.rs` |
//! | Idle connections occupied the webhook for ever | `idle_connections_that_use_every_slot_are_closed_and_updates_are_accepted_again` | `tests/suite/telegram_webhook.rs` |
//!
//! # Matrix
//!
//! | what went wrong | test | where |
//! |---|---|---|
//! | A batch of events that was too large or could not be parsed was asked for without end | `a_batch_that_cannot_be_parsed_is_asked_for_in_smaller_parts` | `tests/suite/matrix_faults.rs` |
//! | A hundred invitations whose join never ends kept the bot from joining any room | `rooms_are_told_once_and_the_oldest_of_too_many_invitations_is_dropped` | `src/platform/matrix/progress.rs` |
//! | A room whose homeserver fails delayed the replies in all rooms | `a_room_whose_homeserver_fails_delays_no_other_room` | `tests/suite/matrix_faults.rs` |
//! | A room with many messages delayed the replies in all rooms | `a_room_with_many_messages_delays_another_room_by_one` | `tests/suite/matrix_faults.rs` |
//! | Only the latest answer to a removed photo was removed | `all_answers_to_a_removed_photo_are_removed` | `tests/suite/matrix_faults.rs` |
//! | A removal in another room removed an answer | `a_removal_in_another_room_removes_no_answer` | `tests/suite/matrix_faults.rs` |
//! | A room whose history fails delayed the messages of all rooms | `a_room_whose_history_fails_for_a_while_delays_no_other_and_is_answered` | `tests/suite/matrix_faults.rs` |
//! | A group still counted as a room of two if an arrival was missed | `an_arrival_that_cannot_be_looked_up_is_noticed_all_the_same` | `tests/suite/matrix_faults.rs` |

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use faceguesser::Guesser;
use faceguesser::bot::{CardPolicy, PhotoSource, Reply, ReplyOptions};
use faceguesser::inference::FlowId;
use faceguesser::model::estimator;
use faceguesser::photo::{DecodeLimits, PhotoError, decode};
use serde_json::json;

use super::corpus::assert_answered_or_refused;
use super::support;
use super::support::bombs::{self, Scan};
use super::support::inbox::RecordedRequest;
use super::support::program::{Program, command};
use super::support::telegram::{PERSON, Telegram, message, with};

fn case(name: &str) -> Vec<u8> {
    support::file("FACEGUESSER_CASES", name)
}

/// The bot's reply to a file, with its annotated picture.
async fn reply_to(bytes: Vec<u8>) -> Reply {
    let (bot, pool) = support::bot();
    let options = ReplyOptions { platform: "test", max_characters: 2000, card: CardPolicy::AnyFace, max_cards: 1 };
    let reply =
        bot.guess(FlowId::from_key(&0), PhotoSource::Bytes(bytes.into()), &bot.default_style(None), options).await;
    tokio::task::spawn_blocking(move || pool.stop()).await.unwrap();
    reply
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_cases), ignore = "set FACEGUESSER_CASES to the folder of the files once handled wrongly")]
async fn a_picture_with_trailing_data_or_without_its_end_marker_is_whole() {
    for name in ["motion-photo.jpg", "second-picture-cut.jpg", "no-end-marker.jpg", "no-iend.png"] {
        let reply = reply_to(case(name)).await;
        let analysis = reply.outcome.unwrap();
        assert!(!analysis.faces.is_empty() && !analysis.cut_short, "{name}: {}", reply.text);
        assert!(reply.card.is_some(), "{name} has no card");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_cases), ignore = "set FACEGUESSER_CASES to the folder of the files once handled wrongly")]
async fn a_picture_with_most_of_its_rows_is_answered_and_said_to_be_cut_short() {
    let reply = reply_to(case("cut-at-95-percent.jpg")).await;
    assert!(!reply.outcome.unwrap().faces.is_empty() && reply.card.is_some());
    assert!(
        reply.text.ends_with("The picture was cut short; I could only look at the part that is there."),
        "{}",
        reply.text
    );
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_cases), ignore = "set FACEGUESSER_CASES to the folder of the files once handled wrongly")]
async fn an_unsupported_format_is_named_and_not_called_damaged_or_a_video() {
    let formats = [
        ("arithmetic-coded.jpg", "arithmetic-coded JPEG"),
        ("avis.avif", "AVIF"),
        ("hevx.heic", "unusual HEIC"),
        ("msf1.heic", "unusual HEIC"),
    ];
    for (name, format) in formats {
        let reply = reply_to(case(name)).await;
        assert!(reply.text.starts_with(&format!("I can't read {format} pictures")), "{name}: {}", reply.text);
    }
}

#[test]
#[cfg_attr(
    not(all(with_cases, with_photos)),
    ignore = "set FACEGUESSER_CASES and FACEGUESSER_PHOTOS to the folders of the files once handled wrongly and of the photographs"
)]
fn everybody_in_a_tall_strip_and_in_groups_is_found() {
    let guesser = Guesser::builtin().unwrap();
    let photo = |name: &str| support::file("FACEGUESSER_PHOTOS", name);
    for (what, photo, people) in [
        ("the strip", case("booth-strip-of-8.jpg"), 8),
        ("the crowd", photo("person-crowd.jpg"), 5),
        ("the group", photo("person-group.jpg"), 4),
    ] {
        assert_eq!(guesser.guess(&photo).unwrap().faces.len(), people, "{what}");
    }
}

#[test]
#[cfg_attr(not(with_cases), ignore = "set FACEGUESSER_CASES to the folder of the files once handled wrongly")]
fn two_parsers_that_read_different_sizes_reserve_nothing() {
    let bytes = case("sizes-disagree.jpg");
    let begun = std::time::Instant::now();
    let refused = decode(&bytes, &DecodeLimits::default()).unwrap_err();
    let refusals = [PhotoError::Damaged { format: "JPEG" }, PhotoError::Truncated];
    let too_large = matches!(refused, PhotoError::TooManyPixels { .. });
    assert!(too_large || refusals.contains(&refused), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_cases), ignore = "set FACEGUESSER_CASES to the folder of the files once handled wrongly")]
async fn an_animation_that_fades_in_is_analysed_at_later_frames() {
    let reply = reply_to(case("fade-in.gif")).await;
    let analysis = reply.outcome.unwrap();
    assert!(analysis.faces.len() == 1 && analysis.frame > 0, "{}", reply.text);
    // The card shows the frame that the face is in.
    let card = image::load_from_memory(&reply.card.unwrap().jpeg).unwrap().to_luma8();
    let (darkest, lightest) = card.iter().fold((255, 0), |(low, high), level| (low.min(*level), high.max(*level)));
    assert!(lightest - darkest > 100, "{darkest} to {lightest}");
}

/// A file in `fuzz/seeds`.
fn seed(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(path)).unwrap()
}

#[test]
fn a_picture_without_pixels_is_damaged() {
    let refused = decode(&seed("photo_bytes/regression-no-pixels"), &DecodeLimits::default()).map(drop);
    assert!(matches!(refused, Err(PhotoError::Damaged { .. } | PhotoError::Truncated)), "{refused:?}");
}

#[test]
fn a_png_palette_that_ends_inside_an_entry_is_damaged() {
    let refused = decode(&seed("png/regression-palette-of-broken-entries"), &DecodeLimits::default()).map(drop);
    assert_eq!(refused, Err(PhotoError::Damaged { format: "PNG" }));
}

#[test]
fn a_jpeg_scan_that_repeats_a_bit_is_damaged_for_the_general_decoder() {
    // Only the general decoder reads CMYK.
    let repeated = bombs::many_scans(64, 64, 4, 2, Scan::RefinesMeans);
    let refused = decode(&repeated, &DecodeLimits::default()).map(drop);
    assert_eq!(refused, Err(PhotoError::Damaged { format: "JPEG" }));
}

/// `src/fuzzing/tests.rs` tries these inputs with more invariants, memory among them.
#[test]
fn inputs_that_fuzzing_found_are_answered_or_refused() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let files = walkdir::WalkDir::new(seeds).into_iter().map(|entry| entry.unwrap().into_path());
    let regressions = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("regression-"));
    let regressions: Vec<_> = regressions.collect();
    assert!(!regressions.is_empty());
    for path in regressions {
        assert_answered_or_refused(path.to_str().unwrap(), &std::fs::read(&path).unwrap());
    }
}

#[test]
fn calibrate_names_the_option_whose_file_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("weights"), estimator::embedded()).unwrap();
    std::fs::write(path("invalid"), "no weights").unwrap();
    let mut calibrate = command();
    calibrate.arg("calibrate").arg("--weights").arg(path("weights")).arg("--calibration-from").arg(path("invalid"));
    let output = calibrate.arg("--out").arg(path("out")).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("--calibration-from") && !errors.contains("--weights"),
        "{errors}"
    );
}

#[test]
fn a_command_whose_output_is_not_read_to_the_end_succeeds() {
    let mut child = command().arg("check").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_setting_that_is_not_utf_8_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let check = |name: &str| command().arg("check").env(name, bytes).output().unwrap();
    let refused = check("FACEGUESSER__LOG__LEVEL");
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors.contains("FACEGUESSER__LOG__LEVEL holds bytes that are not UTF-8"), "{errors}");
    assert!(check("SOMEBODY_ELSES").status.success());
}

#[tokio::test]
async fn the_debug_log_holds_no_sql() {
    let program = Program::start(&[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    // The store has created its tables by then.
    program.page().await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(!log.contains("CREATE TABLE"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_id_beyond_32_bits_is_confirmed() {
    const ID: i64 = 5_000_000_000;
    let mut telegram = Telegram::start().await;
    let update = json!({ "update_id": ID, "message": with(message(PERSON, 1), json!({ "text": "/help" })) });
    telegram.script("getUpdates", json!({ "ok": true, "result": [update] }));
    // A scripted response is not held, so that the second request is recorded immediately.
    telegram.script("getUpdates", json!({ "ok": true, "result": [] }));
    let _program = telegram.program(&[]);
    let confirms = |asked: &RecordedRequest| asked.what == "getupdates" && asked.body["offset"] == ID + 1;
    telegram.inbox.wait("the confirmation", confirms).await;
}

/// Rows of the index: what went wrong, the test or seed, and where that is.
fn index() -> Vec<[&'static str; 3]> {
    let rows = include_str!("regressions.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let cells = rows.map(|row| row.trim_end_matches(" |").rsplitn(3, " | ").collect::<Vec<_>>());
    let named = cells.filter(|cells| cells[0] != "where");
    named.map(|cells| [cells[2], cells[1].trim_matches('`'), cells[0].trim_matches('`')]).collect()
}

#[test]
fn the_index_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_missing = |[_, name, place]: &[&str; 3]| match place.ends_with(".rs") {
        true => {
            let source = std::fs::read_to_string(root.join(place)).unwrap_or_default();
            !source.contains(&format!("fn {name}("))
        }
        false => !root.join(place).join(name).is_file(),
    };
    let index = index();
    let missing: Vec<_> = index.iter().filter(|row| is_missing(row)).collect();
    assert!(index.len() > 80 && missing.is_empty(), "of {} rows these name no test: {missing:#?}", index.len());
}
