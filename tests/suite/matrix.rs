//! The real program against a stand-in homeserver: what people on Matrix send and the replies they get.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::inbox::PATIENCE;
use crate::support::matrix::{
    DIRECT, GROUP, ME, Matrix, OTHER, PASSWORD, PERSON, TOKEN, body, picture, replied_to, text,
};
use crate::support::matrix_server::Room;
use crate::support::program::command;
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face, tiny_photo};

/// Asks for help in the direct room: once that is answered, everything asked before has been handled.
pub async fn help(matrix: &mut Matrix) {
    let asked = matrix.post(DIRECT, PERSON, text("!age help", None));
    let (_, reply) = matrix.reply(DIRECT).await;
    assert!(body(&reply).starts_with("Hi!") && replied_to(&reply) == asked, "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_in_a_room_of_two_is_answered_as_a_reply() {
    let (mut matrix, program) = Matrix::synced(&[]).await;
    matrix.files.put("selfie", photo_with_a_face());
    let photo = matrix.post(DIRECT, PERSON, picture("selfie"));
    matrix.inbox.next("typing").await;
    matrix.inbox.next("fetched selfie").await;
    let (_, reply) = matrix.reply(DIRECT).await;
    assert!(body(&reply).contains(" of about ") && body(&reply).contains("likely"), "{reply}");
    assert_eq!((&reply["msgtype"], replied_to(&reply)), (&json!("m.notice"), photo.as_str()));
    assert_eq!(reply["m.mentions"]["user_ids"], json!([PERSON]));
    program.terminate();
    let (status, log) = program.finished().await;
    assert!(status.success(), "{log}");
    assert!(log.contains("photo answered"), "{log}");
    for private in [TOKEN, "ann", "home.example", "selfie"] {
        assert!(!log.contains(private), "the log names {private}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_faces_are_answered_with_a_numbered_picture_whose_caption_is_the_text() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("group", photo_with_faces(3));
    let mut file = picture("group");
    file["msgtype"] = "m.file".into();
    matrix.post(DIRECT, PERSON, file);
    let uploaded = matrix.inbox.next("upload").await;
    let (_, reply) = matrix.reply(DIRECT).await;
    assert!(body(&reply).starts_with("I see 3 faces") && body(&reply).contains("\n3. "), "{reply}");
    assert_eq!((&reply["msgtype"], &reply["url"]), (&json!("m.image"), &uploaded.body));
    assert_eq!((&reply["filename"], &reply["info"]["w"]), (&json!("faces.jpg"), &json!(780)));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_only_what_is_addressed_to_the_bot_is_answered() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(GROUP, OTHER, picture("one"));
    matrix.post(GROUP, PERSON, text("hello", None));
    matrix.post(GROUP, PERSON, text("thanks", Some(&photo)));
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("send").is_empty() && matrix.inbox.pending("fetched").is_empty());

    // In reply to the photo, by the prefix and by a mention; the answer refers to the photo.
    let mut mention = text("Face Guesser: how old?", Some(&photo));
    mention["m.mentions"] = json!({ "user_ids": [ME] });
    mention["formatted_body"] = format!("<a href=\"https://matrix.to/#/{ME}\">Face Guesser</a>: how old?").into();
    for asking in [text("!age", Some(&photo)), mention] {
        matrix.post(GROUP, PERSON, asking);
        let (_, reply) = matrix.reply(GROUP).await;
        assert!(body(&reply).contains(" of about ") && replied_to(&reply) == photo, "{reply}");
    }
    // With the photo itself.
    let mut captioned = picture("one");
    (captioned["filename"], captioned["body"]) = ("one.jpg".into(), "!age how old?".into());
    let captioned = matrix.post(GROUP, PERSON, captioned);
    let (answer, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains(" of about ") && replied_to(&reply) == captioned, "{reply}");
    // Whoever replies to the answer mentions the bot without asking for anything.
    let mut thanks = text("thanks!", Some(&answer));
    thanks["m.mentions"] = json!({ "user_ids": [ME] });
    matrix.post(GROUP, PERSON, thanks);
    // An explanation, of the photo that the answer refers to, in two pictures.
    matrix.post(GROUP, PERSON, text("!age explain", Some(&answer)));
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains("This is all I look at") && replied_to(&reply) == captioned, "{reply}");
    assert_eq!(matrix.reply(GROUP).await.1["filename"], "faces-2.jpg");
    // Without a photo.
    let bare = matrix.post(GROUP, PERSON, text("!age", None));
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains("no picture") && body(&reply).contains("!age") && replied_to(&reply) == bare);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_in_a_thread_is_answered_there_about_its_first_message() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let root = matrix.post(GROUP, OTHER, picture("one"));
    let mut asking = text("!age", Some(&root));
    asking["m.relates_to"] = json!({
        "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root }
    });
    matrix.post(GROUP, PERSON, asking);
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains(" of about "), "{reply}");
    let relation = &reply["m.relates_to"];
    assert_eq!((&relation["rel_type"], &relation["event_id"]), (&json!("m.thread"), &json!(root)));
    assert_eq!(relation["is_falling_back"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_turn_on_answers_to_every_photo_and_settings_are_commands() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    for (sender, said, words) in [
        (OTHER, "!age auto on", "Only an admin"),
        (PERSON, "!age auto on", "!age auto off stops this"),
        (PERSON, "!age settings", "!age set auto: Automatic replies: on"),
        (PERSON, "!age set gender", "!age set gender: Gender: only when I'm sure"),
        (OTHER, "!age set gender", "Only an admin"),
        (OTHER, "!age language de", "Deutsch"),
        (PERSON, "!age privacy", "!age forget"),
    ] {
        matrix.post(GROUP, sender, text(said, None));
        let (_, reply) = matrix.reply(GROUP).await;
        assert!(body(&reply).contains(words) && !body(&reply).contains(" /"), "{said}: {reply}");
    }
    let photo = matrix.post(GROUP, OTHER, picture("one"));
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains("Jahre") && replied_to(&reply) == photo, "{reply}");
    matrix.post(GROUP, PERSON, text("!age forget", None));
    assert!(body(&matrix.reply(GROUP).await.1).contains("about you or this chat"));
    matrix.post(GROUP, OTHER, picture("one"));
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("send").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn history_notices_bots_and_the_bot_itself_are_not_answered() {
    let mut matrix = Matrix::start().await;
    matrix.files.put("one", photo_with_a_face());
    matrix.post(DIRECT, PERSON, picture("one"));
    let _program = matrix.program(&[]);
    matrix.wait_until_synced().await;
    matrix.post(DIRECT, ME, picture("one"));
    matrix.post(DIRECT, PERSON, json!({ "msgtype": "m.notice", "body": "!age help" }));
    let mut automated = picture("one");
    automated["org.matrix.msc3955.automated"] = true.into();
    matrix.post(DIRECT, PERSON, automated);
    let old = json!({ "type": "m.room.message", "sender": PERSON, "content": picture("one"), "origin_server_ts": 1 });
    matrix.post_event(DIRECT, old);
    for strange in [json!({}), json!({ "msgtype": 7 }), json!({ "msgtype": "m.image", "body": "x", "url": "mxc://" })] {
        matrix.post(GROUP, PERSON, strange);
    }
    matrix.post_event(GROUP, json!({ "type": "org.example.poll", "sender": PERSON, "content": [] }));
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("fetched").is_empty() && matrix.inbox.pending("send").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_gets_a_specific_error_message() {
    let (mut matrix, mut program) = Matrix::synced(&[("FACEGUESSER__LIMITS__PHOTO_BYTES", "1 MiB")]).await;
    let whole = photo_with_a_face();
    matrix.files.put("text", "Just some words.\n");
    matrix.files.put("cut", whole[..whole.len() / 2].to_vec());
    matrix.files.put("large", vec![0xff; 3 << 20]);
    matrix.files.put("empty", photo_without_a_face());
    let mut announced = picture("announced");
    announced["info"]["size"] = (3 << 20).into();
    let voice = json!({ "msgtype": "m.audio", "body": "voice.ogg", "url": "mxc://home.example/voice" });
    for (content, words) in [
        (picture("text"), "not a picture but"),
        (picture("cut"), "cut short"),
        (picture("large"), "I take photos of up to 1 MB"),
        (announced, "I take photos of up to 1 MB"),
        (picture("empty"), "can't find a face"),
        (picture("gone"), "no longer there"),
        (voice, "no picture"),
    ] {
        matrix.post(DIRECT, PERSON, content);
        let (_, reply) = matrix.reply(DIRECT).await;
        assert!(body(&reply).contains(words), "{words}: {reply}");
    }
    assert!(matrix.inbox.pending("fetched announced").is_empty());
    assert!(program.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_in_progress_when_the_program_is_killed_is_answered_once_by_the_next_run() {
    let (mut matrix, mut program) = Matrix::synced(&[]).await;
    let gate = matrix.files.put_gated("slow", photo_with_a_face());
    let photo = matrix.post(DIRECT, PERSON, picture("slow"));
    matrix.inbox.next("fetched slow").await;
    program.kill();
    gate.send(true).unwrap();
    // The next run sends the reply, and is killed before it knows that.
    matrix.script("send", "stall".into());
    let mut program = matrix.program(&[]);
    let (_, reply) = matrix.reply(DIRECT).await;
    assert!(body(&reply).contains(" of about ") && replied_to(&reply) == photo, "{reply}");
    matrix.inbox.next("stalled").await;
    program.kill();
    let mut program = matrix.program(&[]);
    matrix.inbox.next("repeated").await;
    help(&mut matrix).await;
    program.kill();
    let _program = matrix.program(&[]);
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("send").is_empty(), "it was answered again");
}

/// Kills the program at a random moment after each photo and restarts it with the same database.
#[tokio::test(flavor = "multi_thread")]
async fn no_photo_is_lost_or_answered_twice_at_forty_moments() {
    let unlimited = [("FACEGUESSER__FAIR_USE__PERSON_BURST", "0"), ("FACEGUESSER__FAIR_USE__CHAT_BURST", "0")];
    let (mut matrix, mut program) = Matrix::synced(&unlimited).await;
    matrix.files.put("tiny", tiny_photo());
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(17);
    let mut photos = Vec::new();
    let mut unanswered = 0;
    for _ in 0..40 {
        photos.push(matrix.post(DIRECT, PERSON, picture("tiny")));
        tokio::time::sleep(random.random_range(Duration::ZERO..Duration::from_millis(60))).await;
        program.kill();
        unanswered += matrix.change(|state| usize::from(state.replies(DIRECT, &photos[photos.len() - 1]) == 0));
        matrix.inbox.drain("sync");
        program = matrix.program(&unlimited);
        matrix.wait_until_synced().await;
    }
    let is_done = |matrix: &Matrix| matrix.change(|state| photos.iter().all(|photo| state.replies(DIRECT, photo) > 0));
    let begun = Instant::now();
    while !is_done(&matrix) && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A second reply that is still being sent would be seen, too.
    program.terminate();
    program.finished().await;
    let replies: Vec<usize> = matrix.change(|state| photos.iter().map(|photo| state.replies(DIRECT, photo)).collect());
    println!("Matrix: 40 kills, {unanswered} of them before the answer, replies {replies:?}");
    assert!(replies.iter().all(|count| *count == 1) && unanswered > 0, "{replies:?}, {unanswered}");
}

/// More events than a batch has, so that the photo is found in the room's history.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_was_posted_while_the_program_was_off_is_answered() {
    let (mut matrix, program) = Matrix::synced(&[]).await;
    help(&mut matrix).await;
    program.terminate();
    program.finished().await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(GROUP, PERSON, picture("one"));
    matrix.post(GROUP, PERSON, text("!age", Some(&photo)));
    (0..180).for_each(|_| drop(matrix.post(GROUP, OTHER, text("so many words", None))));
    let _program = matrix.program(&[]);
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains(" of about ") && replied_to(&reply) == photo, "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_room_is_told_once_that_the_bot_cannot_read_it() {
    let (mut matrix, program) = Matrix::synced(&[]).await;
    let secret = json!({
        "type": "m.room.encrypted", "sender": PERSON,
        "content": { "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", "session_id": "s", "device_id": "D" }
    });
    let first = matrix.post_event(GROUP, secret.clone());
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains("can't read encrypted messages") && replied_to(&reply) == first, "{reply}");
    matrix.post_event(GROUP, secret.clone());
    help(&mut matrix).await;
    program.terminate();
    program.finished().await;
    let _program = matrix.program(&[]);
    matrix.post_event(GROUP, secret);
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("send").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_and_what_was_sent_since_is_answered() {
    const NEW: &str = "!new:home.example";
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("early", photo_with_a_face());
    matrix.files.put("history", photo_with_a_face());
    let photo = matrix.change(|state| {
        let members = [PERSON.to_owned()].into();
        let room = Room { members, levels: Value::Null, creator: PERSON.into(), version: "12".into() };
        state.rooms.insert(NEW.to_owned(), room);
        let message = |name| json!({ "type": "m.room.message", "sender": PERSON, "content": picture(name) });
        state.add(NEW, message("history"));
        state.invite(NEW, PERSON);
        state.add(NEW, message("early"))
    });
    matrix.inbox.next("join").await;
    let (_, reply) = matrix.reply(NEW).await;
    assert!(body(&reply).contains(" of about ") && replied_to(&reply) == photo, "{reply}");
    assert!(matrix.inbox.pending("fetched history").is_empty());
    // Once it is alone, it leaves and forgets the room.
    matrix.change(|state| state.leave(NEW, PERSON));
    assert_eq!(matrix.inbox.next("leave").await.body, NEW);
    assert_eq!(matrix.inbox.next("forget").await.body, NEW);
    // An invitation that was withdrawn is none.
    matrix.change(|state| state.invite("!gone:home.example", PERSON));
    help(&mut matrix).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_homeserver_has_its_files_where_they_used_to_be() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.change(|state| state.is_old = true);
    matrix.files.put("one", photo_with_a_face());
    matrix.post(DIRECT, PERSON, picture("one"));
    assert!(body(&matrix.reply(DIRECT).await.1).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_password_it_logs_in_again_when_its_token_is_revoked() {
    let password = [
        ("FACEGUESSER__MATRIX__TOKEN", ""),
        ("FACEGUESSER__MATRIX__USER", ME),
        ("FACEGUESSER__MATRIX__PASSWORD", PASSWORD),
    ];
    let (mut matrix, _program) = Matrix::synced(&password).await;
    assert_eq!(matrix.inbox.next("login").await.body, "FACEGUESSER");
    help(&mut matrix).await;
    matrix.change(|state| state.tokens.clear());
    matrix.post(DIRECT, PERSON, text("!age privacy", None));
    matrix.inbox.next("login").await;
    assert!(body(&matrix.reply(DIRECT).await.1).contains("not stored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_it_and_check_names_it() {
    let matrix = Matrix::start().await;
    let program = matrix.program(&[("FACEGUESSER__MATRIX__TOKEN", "stand-in-wrong-token")]);
    let (status, log) = program.finished().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the homeserver refuses the token"), "{log}");

    let base = matrix.base();
    let check = async |variables: &[(&str, &str)]| {
        let mut command = command();
        command.args(["check", "--online"]).env("FACEGUESSER__WEB__ENABLED", "false");
        command.env("FACEGUESSER__MATRIX__HOMESERVER", &base).envs(variables.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (works, told) = check(&[("MATRIX_TOKEN", TOKEN)]).await;
    assert!(works && told.contains("Matrix: on, as @faces:home.example") && told.contains("clocks agree"), "{told}");
    let (works, told) = check(&[("FACEGUESSER__MATRIX__TOKEN", "stand-in-wrong-token")]).await;
    assert!(
        !works && told.contains("Matrix: refuses matrix.token (the variable FACEGUESSER__MATRIX__TOKEN)"),
        "{told}"
    );
    let account = [("FACEGUESSER__MATRIX__USER", ME), ("FACEGUESSER__MATRIX__PASSWORD", "wrong")];
    let (works, told) = check(&account).await;
    assert!(!works && told.contains("Matrix: refuses matrix.user with matrix.password"), "{told}");
    let (works, told) = check(&[("FACEGUESSER__MATRIX__USER", ME), ("FACEGUESSER__MATRIX__PASSWORD", PASSWORD)]).await;
    assert!(works && told.contains("Matrix: on, as"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn init_gets_a_token_with_the_password_or_tries_one_and_writes_it_with_the_homeserver() {
    let mut matrix = Matrix::start().await;
    let folder = tempfile::tempdir().unwrap();
    let init = |arguments: &[&str], input: String| {
        let mut command = command();
        command.current_dir(folder.path()).args(["init", "--force", "--matrix-homeserver", &matrix.base()]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        })
    };
    let with_password = ["--matrix-user", ME, "--matrix-password", "-"];
    let (status, _, errors) = init(&with_password, "a wrong one\n".to_owned()).await.unwrap();
    assert_eq!((status, std::fs::read_dir(folder.path()).unwrap().count()), (Some(1), 0));
    assert!(errors.contains("Matrix: refuses the account or its password: try them in a client"), "{errors}");
    let (status, printed, errors) = init(&with_password, format!("{PASSWORD}\n")).await.unwrap();
    assert_eq!(status, Some(0), "{errors}");
    assert!(printed.contains(&format!("Matrix: {ME}")), "{printed}");
    assert!(printed.contains(&format!("https://matrix.to/#/{ME}")), "{printed}");
    let written = || -> toml::Table {
        let file = std::fs::read_to_string(folder.path().join("faceguesser.toml")).unwrap();
        file.parse().unwrap()
    };
    let file = written();
    assert_eq!(file["matrix"]["homeserver"].as_str().unwrap().trim_end_matches('/'), matrix.base());
    let token = file["matrix"]["token"].as_str().unwrap();
    assert!(token.starts_with("stand-in-login-token") && !printed.contains(token), "{printed}");
    assert!(!file["matrix"].as_table().unwrap().contains_key("password"));
    let (status, printed, errors) = init(&["--matrix-token", TOKEN], String::new()).await.unwrap();
    assert_eq!(status, Some(0), "{printed}{errors}");
    assert_eq!(written()["matrix"]["token"].as_str(), Some(TOKEN));
    let (status, _, errors) = init(&["--matrix-token", "nobodys"], String::new()).await.unwrap();
    assert!(status == Some(1) && errors.contains("Matrix: refuses the token"), "{errors}");
    assert_eq!(written()["matrix"]["token"].as_str(), Some(TOKEN));
    // It logged in as a device of its own, so that the token of a bot that runs stays valid.
    assert!(matrix.inbox.next("login").await.body.is_null());
}
