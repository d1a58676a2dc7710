//! Tokens of a stranger, and tokens with anything in them that are signed: nothing panics, nobody gets in
//! without a signature, and nobody leaves its part of the keys. Run with
//! `cargo +nightly fuzz run tokens` in crates/router.

#![no_main]

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use breakwater_engine::{Cache, Config};
use breakwater_router::{
    Next, Options, Output, Peer, Router, Rules, Session, Template, TokenKey, TokenRules, User, Users,
};
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use std::sync::{Arc, LazyLock};

const NOW: u64 = 1_700_000_000_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes or more";
const HEADER: &[u8] = br#"{"alg":"HS256"}"#;

static ROUTER: LazyLock<Arc<Router>> = LazyLock::new(|| {
    let tokens = TokenRules {
        keys: vec![TokenKey::new("HS256", None, &[BASE64.encode(SECRET)]).unwrap()],
        claim: "sub".into(),
        template: Some(Template::parse("~{tenant}:* %R~{reads}:* &{tenant}.* +@all").unwrap()),
        ..TokenRules::default()
    };
    let ada = User::by_rules("ada", "~ada:* +@all").unwrap().named_by_tokens(true);
    let chief = User::by_rules("chief", ">chief ~* &* +@all").unwrap();
    let users = Users::new(vec![ada, chief]).with_tokens(tokens);
    let cache = Cache::new(Config { max_bytes: Some(1 << 20), ..Config::default() }).unwrap();
    let rules = Rules { users, ..Rules::default() };
    Arc::new(Router::new(Arc::new(cache), Options { rules, ..Options::default() }, NOW))
});

fuzz_target!(|data: &[u8]| {
    let [choice, bytes @ ..] = data else { return };
    match choice % 3 {
        // As it comes, or with what makes it look like a token.
        0 => assert!(!enters(bytes), "without a signature: {}", bytes.escape_ascii()),
        // A header and claims, signed.
        1 => {
            let (header, claims) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(0));
            enters(&signed(header, claims.strip_prefix(&[0]).unwrap_or(claims)));
        }
        // Claims alone, signed.
        _ => {
            enters(&signed(HEADER, bytes));
        }
    }
});

fn signed(header: &[u8], claims: &[u8]) -> Vec<u8> {
    let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
    format!("{text}.{}", BASE64.encode(tag)).into_bytes()
}

/// Whether a token lets somebody in, who then has nothing but its own part of the keys.
fn enters(token: &[u8]) -> bool {
    let mut session = Session::open(&ROUTER, Peer::default(), NOW).unwrap();
    let said = ask(&mut session, &[b"AUTH", token]);
    if said.starts_with(b"-WRONGPASS ") {
        assert!(ask(&mut session, &[b"GET", b"a"]).starts_with(b"-NOAUTH "));
        return false;
    }
    assert_eq!(said, b"+OK\r\n");
    assert_ne!(ask(&mut session, &[b"ACL", b"WHOAMI"]), b"$5\r\nchief\r\n");
    // Every pattern of the rules ends behind a colon or a dot that no claim brings.
    for words in [&[&b"GET"[..], b"key"], &[b"GET", b":"], &[b"DEL", b"*"], &[b"SUBSCRIBE", b"news"]] {
        assert!(ask(&mut session, words).starts_with(b"-NOPERM "), "{}", token.escape_ascii());
    }
    true
}

fn ask(session: &mut Session, words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    let mut output = Output::default();
    assert_eq!(session.feed(&bytes, NOW, &mut output), Next::Read);
    output.bytes
}
