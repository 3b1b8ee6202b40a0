//! What is read from where, and what is refused.

use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(None, variables.iter().map(|(key, value)| (key.to_string(), value.to_string())))
}

fn exposed(token: &Option<SecretString>) -> Option<&str> {
    token.as_ref().map(ExposeSecret::expose_secret)
}

#[test]
fn defaults_are_complete_and_hold_no_token() {
    let config = load(&[]).unwrap();
    assert!(config.discord.token.is_none() && config.telegram.token.is_none());
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:8080");
    let (limits, default) = (config.decode_limits(), DecodeLimits::default());
    assert_eq!((limits.max_bytes, limits.max_pixels), (default.max_bytes, default.max_pixels));
    assert_eq!(limits.memory.total(), default.memory.total());
    assert_eq!(config.download_limits(), DownloadLimits::default());
}

#[test]
fn variables_win_over_the_file_and_the_file_over_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faceguesser.toml");
    std::fs::write(&path, "[web]\nlisten = \"127.0.0.1:9000\"\n[limits]\nphoto_bytes = \"5 MiB\"\n").unwrap();
    let variables = [
        ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:9001"),
        ("FACEGUESSER__DISCORD__TOKEN", "first"),
        ("DISCORD_TOKEN", "second"),
        ("TELOXIDE_TOKEN", "12:third"),
        ("FACEGUESSER__DISCORD__CHANNELS", "11,22"),
        ("FACEGUESSER__TELEGRAM__API_BASE", "http://127.0.0.1:4/"),
    ];
    let config = Config::load(Some(&path), variables.map(|(k, v)| (k.into(), v.into()))).unwrap();
    assert_eq!(config.web.listen.port(), 9001);
    assert_eq!(config.decode_limits().max_bytes, 5 << 20);
    assert_eq!(exposed(&config.discord.token), Some("first"));
    assert_eq!(exposed(&config.telegram.token), Some("12:third"));
    assert_eq!(config.discord.channels, [11, 22]);
    assert_eq!(load(&[("FACEGUESSER__DISCORD__CHANNELS", "33")]).unwrap().discord.channels, [33]);
    assert!(load(&[("FACEGUESSER__DISCORD__CHANNELS", "general")]).is_err());
    assert_eq!(config.telegram.api_base.as_str(), "http://127.0.0.1:4/");
}

#[test]
fn a_misspelt_key_is_refused_by_name() {
    let error = load(&[("FACEGUESSER__WEB__LISTNE", "127.0.0.1:1")]).unwrap_err().to_string();
    assert!(error.contains("listne"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_its_file_and_line_or_its_variable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    type Variables = &'static [(&'static str, &'static str)];
    let told = |text: &[u8], variables: Variables| {
        std::fs::write(&path, text).unwrap();
        let variables = variables.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let error = Config::load(Some(&path), variables).unwrap_err().to_string();
        error.replace(&format!("{}", path.display()), "mine.toml")
    };
    let wrong: [(&[u8], Variables, &str); 30] = [
        (b"[log]\nformat = \"xml\"\n", &[], "mine.toml, line 2, log.format: must be text or json, not xml"),
        (b"[limits]\nphoto_bytes = \"much\"\n", &[], "mine.toml, line 2, limits.photo_bytes: must be a size such as"),
        (b"[limits]\ncpu_time = \"long\"\n", &[], "mine.toml, line 2, limits.cpu_time: must be a duration such as"),
        (b"[web]\n\nlisten = \"somewhere\"\n", &[], "mine.toml, line 3, web.listen: must be an address with a port"),
        (
            b"[web]\nlistne = \"127.0.0.1:1\"\n",
            &[],
            "mine.toml, line 2, web.listne: there is no setting listne here; there are enabled",
        ),
        (
            b"# mine\n[wbe]\nenabled = true\n",
            &[],
            "mine.toml, line 2, wbe: there is no setting wbe here; there are discord",
        ),
        (b"[web]\nenabled = \"maybe\"\n", &[], "mine.toml, line 2, web.enabled: "),
        (b"\n[\"web.page\".\"b.c\"]\nx = 1\n", &[], "mine.toml, line 2, web.page: there is no setting page here"),
        (b"[limits]\nfaces = 0\n", &[], "mine.toml, line 2, limits.faces: must be at least 1"),
        (b"limits.cpu_time = \"1ms\"\n", &[], "mine.toml, line 1, limits.cpu_time: must be at least 100ms"),
        (b"[web]\nenabled = yes\n", &[], "mine.toml, line 2: is not valid TOML: "),
        (b"[limits]\nfaces = 1_0s\n", &[], "mine.toml, line 2: is not valid TOML: "),
        (b"[web]\n\xff\n", &[], "mine.toml, line 2: is not UTF-8 text"),
        (
            b"[inference]\nworkers = 2.5\n",
            &[],
            "mine.toml, line 2, inference.workers: must be a whole number, not below 0, not 2.5",
        ),
        (b"[inference]\nworkers = 100000\n", &[], "mine.toml, line 2, inference.workers: must be at most 1024"),
        (b"[web]\nenabled = 2\n", &[], "mine.toml, line 2, web.enabled: must be true or false, not 2"),
        (b"web = 5\n", &[], "mine.toml, line 1, web: must be a section with settings of its own, not 5"),
        (b"[limits]\nphoto_bytes = -1\n", &[], "mine.toml, line 2, limits.photo_bytes: "),
        (b"[log]\nlevel = \"inof\"\n", &[], "mine.toml, line 2, log.level: must be error, warn"),
        (b"[discord]\napi_base = \"mailto:foo\"\n", &[], "mine.toml, line 2, discord.api_base: must be an http"),
        (b"[discord]\ngateway = \"http://x\"\n", &[], "mine.toml, line 2, discord.gateway: must be a ws"),
        (
            b"[discord]\ntoken_file = \"nowhere\"\n",
            &[],
            "mine.toml, line 2, discord.token_file: the token file nowhere",
        ),
        (b"discord.channels = [1, \"x\"]\n", &[], "mine.toml, line 1, discord.channels[1]: "),
        (b"[telegram]\nlocal_files = \"nowhere\"\n", &[], "mine.toml, line 2, telegram.local_files: must be a folder"),
        (b"", &[("FACEGUESSER__DISCORD__CHANNELS", "1,b")], "the variable FACEGUESSER__DISCORD__CHANNELS: "),
        (
            b"",
            &[("FACEGUESSER__INFERENCE__WORKERS", "two")],
            "the variable FACEGUESSER__INFERENCE__WORKERS: \"two\" is not a whole",
        ),
        (b"", &[("FACEGUESSER__WEB__LISTEN__X", "y")], "the variable FACEGUESSER__WEB__LISTEN__X: "),
        (
            b"",
            &[("FACEGUESSER_WEB__LISTEN", "y")],
            "the variable FACEGUESSER_WEB__LISTEN: is not read; its name should be",
        ),
        (b"", &[("FACEGUESSER__WEB__LISTEN", "x")], "the variable FACEGUESSER__WEB__LISTEN: "),
        (b"", &[("FACEGUESSER__GUESS__CONFIDENT", "2")], "the variable FACEGUESSER__GUESS__CONFIDENT: must be between"),
    ];
    for (text, variables, begins) in wrong {
        let told = told(text, variables);
        assert!(told.starts_with(begins) && !told.contains('\n'), "{told} does not begin with {begins}");
    }
    let missing = Config::load(Some(&dir.path().join("nowhere.toml")), []).unwrap_err().to_string();
    assert!(missing.contains("nowhere.toml cannot be read"), "{missing}");
}

#[test]
fn the_setting_that_was_set_is_blamed_and_a_deadline_of_zero_refused() {
    let told = |text: &str, variables: &[(&str, &str)]| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        let variables = variables.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        Config::load(Some(&path), variables).unwrap_err().to_string().replace(path.to_str().unwrap(), "mine.toml")
    };
    for (text, begins) in [
        (
            "[limits]\nphoto_bytes = \"1 GiB\"\n",
            "mine.toml, line 2, limits.photo_bytes: must be at most limits.photo_memory",
        ),
        ("[limits]\nphoto_memory = \"1 MiB\"\n", "mine.toml, line 2, limits.photo_memory: must hold"),
        ("[inference]\n\ndeadline = \"0s\"\n", "mine.toml, line 3, inference.deadline: must be at least 100ms"),
        ("[limits]\ndownload_timeout = \"0s\"\n", "mine.toml, line 2, limits.download_timeout: must be at least 100ms"),
    ] {
        assert!(told(text, &[]).starts_with(begins), "{}", told(text, &[]));
    }
    let by_variable = told("[limits]\n", &[("FACEGUESSER__LIMITS__PHOTO_BYTES", "1 GiB")]);
    assert!(by_variable.starts_with("the variable FACEGUESSER__LIMITS__PHOTO_BYTES: must be at most"), "{by_variable}");
}

#[test]
fn text_in_a_variable_stays_text_and_lists_may_have_spaces() {
    let variables = [("FACEGUESSER__STORE__PATH", "007"), ("FACEGUESSER__DISCORD__CHANNELS", "1, 2,")];
    let config = load(&variables).unwrap();
    assert_eq!(config.store.path.to_str(), Some("007"));
    assert_eq!(config.discord.channels, [1, 2]);
    assert_eq!(load(&[("faceguesser__inference__queue", " 7 ")]).unwrap().pool_options().queue, 7);
}

#[test]
fn a_blank_token_is_none_and_an_empty_token_file_an_error() {
    assert!(load(&[("TELOXIDE_TOKEN", " "), ("FACEGUESSER__DISCORD__TOKEN", "\t")]).unwrap().telegram.token.is_none());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "\n").unwrap();
    let error = load(&[("FACEGUESSER__DISCORD__TOKEN_FILE", path.to_str().unwrap())]).unwrap_err().to_string();
    assert!(error.starts_with("the variable FACEGUESSER__DISCORD__TOKEN_FILE: ") && error.contains("empty"), "{error}");
}

#[test]
fn every_setting_is_listed_with_where_it_is_set_and_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    std::fs::write(&path, "[web]\nlisten = \"127.0.0.1:9\"\n[discord]\ntoken = \"hush\"\n").unwrap();
    let variables = [("TELEGRAM_TOKEN", "12:quiet"), ("FACEGUESSER__DISCORD__GATEWAY", "ws://me:knock@host/")];
    let config = Config::load(Some(&path), variables.map(|(k, v)| (k.into(), v.into()))).unwrap();
    assert_eq!(config.file(), Some(path.as_path()));
    assert_eq!(exposed(&config.telegram.token), Some("12:quiet"));
    let shown = |key: &str| {
        let found = config.settings().iter().find(|setting| setting.key == key).unwrap();
        let origin = found.origin.as_ref().map(|origin| origin.replace(&path.display().to_string(), "mine.toml"));
        (found.shown(), origin)
    };
    assert_eq!(shown("web.listen"), ("\"127.0.0.1:9\"".into(), Some("mine.toml, line 2".into())));
    assert_eq!(shown("web.enabled"), ("true".into(), None));
    assert_eq!(shown("discord.token"), ("\"********\"".into(), Some("mine.toml, line 4".into())));
    assert_eq!(shown("telegram.token"), ("\"********\"".into(), Some("the variable TELEGRAM_TOKEN".into())));
    assert_eq!(shown("discord.gateway").0, "\"ws://me:********@host/\"");
    assert!(!format!("{config:?}").contains("quiet") && !format!("{config:?}").contains("hush"));
    let other = Config::load(None, [("TELEGRAM_TOKEN".into(), "12:other".into())]).unwrap();
    let differ = changed(config.settings(), other.settings());
    assert_eq!(differ, ["discord.gateway", "discord.token", "telegram.token", "web.listen"]);
}

#[test]
fn a_settings_file_is_found_in_the_users_folder() {
    let dir = tempfile::tempdir().unwrap();
    let variables = |name: &str| [(name.to_owned(), dir.path().to_str().unwrap().to_owned())].into();
    let (own, home) = (variables("XDG_CONFIG_HOME"), variables("HOME"));
    let places: [Vec<_>; 2] = [location::places(&own), location::places(&home)];
    assert_eq!(places[0][1], dir.path().join("faceguesser/faceguesser.toml"));
    assert_eq!(places[1][1], dir.path().join(".config/faceguesser/faceguesser.toml"));
    assert_eq!(places[0][0].to_str(), Some("faceguesser.toml"));
    std::fs::create_dir_all(dir.path().join("faceguesser")).unwrap();
    std::fs::write(&places[0][1], "").unwrap();
    assert_eq!(location::find(&own), Some(places[0][1].clone()));
}

#[test]
fn values_out_of_range_are_refused() {
    assert!(load(&[("FACEGUESSER__GUESS__CONFIDENT", "1.5")]).is_err());
    assert!(load(&[("FACEGUESSER__INFERENCE__QUEUE", "0")]).is_err());
    assert!(load(&[("FACEGUESSER__WEB__LISTEN", "somewhere")]).is_err());
    assert!(load(&[("FACEGUESSER__TELEGRAM__WEBHOOK_URL", "http://bot.example/")]).is_err());
    assert!(load(&[("FACEGUESSER__TELEGRAM__WEBHOOK_SECRET", "a space")]).is_err());
}

#[test]
fn a_token_can_live_in_a_file_of_its_own_and_is_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let config = load(&[("FACEGUESSER__TELEGRAM__TOKEN_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(exposed(&config.telegram.token), Some("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(load(&[("FACEGUESSER__DISCORD__TOKEN_FILE", "nowhere/token")]).is_err());
}

#[test]
fn a_range_of_shards_has_a_first_a_last_and_a_total() {
    let shards = |text| load(&[("FACEGUESSER__DISCORD__SHARDS", text)]).map(|config| config.discord.shards);
    assert_eq!(shards("").unwrap(), None);
    assert_eq!(shards("4-7/16").unwrap(), Some(ShardRange { first: 4, last: 7, total: 16 }));
    for invalid in ["4", "4-7", "7-4/16", "4-16/16", "a-b/c"] {
        assert!(shards(invalid).unwrap_err().to_string().contains("0-499/1000"), "{invalid}");
    }
}
