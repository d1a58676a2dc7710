//! Signed tokens as passwords: whose they are, when they count, and that everything else is refused in
//! the words of Redis.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use breakwater_engine::{Cache, Config};
use breakwater_router::{
    Next, Output, Peer, Permissions, Quota, Router, Rules, Session, Template, TokenKey, TokenRules,
    User, Users,
};
use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use std::num::NonZeroU64;
use std::sync::Arc;

const SECRET: &[u8] = b"a secret of thirty-two bytes or more";
const OTHER: &[u8] = b"another secret, of as many bytes as it needs";
/// Unix seconds.
const NOW: u64 = 1_700_000_000;
const WRONG: &[u8] = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";

fn key(secret: &[u8], id: Option<&str>) -> TokenKey {
    TokenKey::new("HS256", id.map(Into::into), &[BASE64.encode(secret)]).unwrap()
}

fn rules() -> TokenRules {
    TokenRules {
        keys: vec![key(SECRET, None)],
        claim: "sub".into(),
        template: Some(Template::parse("~{tenant}:* %R~{reads}:* +@all").unwrap()),
        ..TokenRules::default()
    }
}

fn users(tokens: TokenRules) -> Users {
    let user = |name, password| User::new(name, password, Permissions::all());
    let ada = user("ada", Some(b"password")).named_by_tokens(true);
    let chief = user("chief", Some(b"of all"));
    Users::new(vec![ada, chief]).with_tokens(tokens)
}

fn router(tokens: TokenRules) -> Arc<Router> {
    let cache = Arc::new(Cache::new(Config::default()).unwrap());
    let rules = Rules { users: users(tokens), ..Rules::default() };
    let options = breakwater_router::Options { rules, ..Default::default() };
    Arc::new(Router::new(cache, options, NOW * 1000))
}

struct Client(Session);

impl Client {
    fn of(router: &Arc<Router>) -> Self {
        Self(Session::open(router, Peer::default(), NOW * 1000).unwrap())
    }

    fn send_at(&mut self, seconds: u64, words: &[&[u8]]) -> (Vec<u8>, Next) {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        let mut output = Output::default();
        let next = self.0.feed(&bytes, seconds * 1000, &mut output);
        (output.bytes, next)
    }

    fn send(&mut self, words: &[&[u8]]) -> Vec<u8> {
        self.send_at(NOW, words).0
    }
}

fn encoded(header: &str, claims: &str) -> String {
    format!("{}.{}", BASE64.encode(header), BASE64.encode(claims))
}

fn sealed(signed: &str, secret: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(tag))
}

fn token(header: &str, claims: &str) -> String {
    sealed(&encoded(header, claims), SECRET)
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn good() -> String {
    token(HEADER, &format!(r#"{{"sub":"ada","exp":{}}}"#, NOW + 60))
}

fn auth(router: &Arc<Router>, token: &str) -> Vec<u8> {
    Client::of(router).send(&[b"AUTH", token.as_bytes()])
}

#[test]
fn those_of_one_name_share_its_limits_whatever_tokens_they_bring_and_over_a_reload() {
    let limited = || TokenRules {
        quota: Quota { requests: NonZeroU64::new(2), connections: Some(2), ..Quota::default() },
        ..rules()
    };
    let router = router(limited());
    let claims = |name: &str, id: u64| {
        format!(r#"{{"sub":"{name}","jti":"{id}","tenant":"t","reads":"r","exp":{}}}"#, NOW + 60)
    };
    let enter = |name: &str, id| {
        let mut client = Client::of(&router);
        let token = token(HEADER, &claims(name, id));
        let said = client.send(&[b"AUTH", token.as_bytes()]);
        (client, String::from_utf8(said).unwrap())
    };
    let (mut one, said) = enter("eve", 1);
    assert_eq!(said, "+OK\r\n");
    let (mut two, said) = enter("eve", 2);
    assert_eq!(said, "+OK\r\n");
    assert!(enter("eve", 3).1.starts_with("-LIMIT connections:"));
    let (mut other, said) = enter("ivy", 4);
    assert_eq!(said, "+OK\r\n");
    assert_eq!(one.send(&[b"PING"]), b"+PONG\r\n");
    assert_eq!(two.send(&[b"PING"]), b"+PONG\r\n");
    let rules = Rules { users: users(limited()), ..Rules::default() };
    router.reload(rules, NOW * 1000);
    for client in [&mut one, &mut two] {
        assert!(client.send(&[b"PING"]).starts_with(b"-LIMIT requests:"));
    }
    assert!(enter("eve", 5).1.starts_with("-LIMIT connections:"));
    assert_eq!(other.send(&[b"PING"]), b"+PONG\r\n");
    // Users have their own: that of tokens does not bind them.
    let (mut ada, _) = enter("ada", 6);
    for _ in 0..10 {
        assert_eq!(ada.send(&[b"PING"]), b"+PONG\r\n");
    }
}

#[test]
fn a_token_that_is_signed_and_counts_names_its_user() {
    let router = router(rules());
    let mut client = Client::of(&router);
    let token = good();
    assert_eq!(client.send(&[b"AUTH", token.as_bytes()]), b"+OK\r\n");
    assert_eq!(client.send(&[b"ACL", b"WHOAMI"]), b"$3\r\nada\r\n");
    for name in [&b"default"[..], b"ada"] {
        assert_eq!(Client::of(&router).send(&[b"AUTH", name, token.as_bytes()]), b"+OK\r\n");
    }
    let said = Client::of(&router).send(&[b"HELLO", b"3", b"AUTH", b"default", token.as_bytes()]);
    assert!(said.starts_with(b"%7\r\n"), "{}", said.escape_ascii());
    assert_eq!(Client::of(&router).send(&[b"AUTH", b"chief", token.as_bytes()]), WRONG);
    // Passwords are what they were.
    assert_eq!(Client::of(&router).send(&[b"AUTH", b"ada", b"password"]), b"+OK\r\n");
}

/// Tokens that do not count, each with why.
fn bad() -> Vec<(&'static str, String)> {
    let exp = NOW + 60;
    let claims = format!(r#"{{"sub":"ada","exp":{exp}}}"#);
    let with = |header: &str| token(header, &claims);
    let says = |claims: &str| token(HEADER, claims);
    let good = good();
    let parts: Vec<_> = good.split('.').map(str::to_owned).collect();
    let [header, payload, signature] = &parts[..] else { unreachable!() };
    let padded = |text: &str| BASE64_STANDARD.encode(text);
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut tampered = signature.clone().into_bytes();
    tampered[0] = if tampered[0] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    // The last character has bits that mean nothing: another one decodes to the same bytes elsewhere.
    let last = signature.chars().last().unwrap();
    let twin = char::from(last as u8 + 1);
    vec![
        ("no signature, as 'none' has", format!("{}.", encoded(r#"{"alg":"none"}"#, &claims))),
        ("'none' with a signature", with(r#"{"alg":"none"}"#)),
        ("'None'", with(r#"{"alg":"None"}"#)),
        ("no algorithm", with(r#"{"typ":"JWT"}"#)),
        ("an algorithm that is no text", with(r#"{"alg":["HS256"]}"#)),
        ("another algorithm", with(r#"{"alg":"HS512"}"#)),
        ("the algorithm in small letters", with(r#"{"alg":"hs256"}"#)),
        ("another kind of key", with(r#"{"alg":"RS256"}"#)),
        ("another secret", sealed(&encoded(HEADER, &claims), OTHER)),
        ("a signature that is altered", format!("{header}.{payload}.{tampered}")),
        ("a signature that is cut", format!("{header}.{payload}.{}", &signature[..20])),
        (
            "a signature with other spare bits",
            format!("{header}.{payload}.{}{twin}", &signature[..42]),
        ),
        ("no signature", format!("{header}.{payload}.")),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{good}.{signature}")),
        (
            "five parts, as encrypted ones have",
            format!("{header}.{header}.{payload}.{payload}.{signature}"),
        ),
        ("a dot before", format!("ey.{good}")),
        ("a dot behind", format!("{good}.")),
        ("empty parts", "ey..".into()),
        ("spaces before", format!(" {good}")),
        ("spaces behind", format!("{good} ")),
        ("an end of line", format!("{good}\n")),
        ("a scheme", format!("Bearer {good}")),
        ("padding", format!("{}.{}.{signature}=", padded(HEADER), padded(&claims))),
        ("a header that is padded and signed", sealed(&format!("{}=.{payload}", header), SECRET)),
        ("a header that is no JSON", with(r#"{"alg":"HS256""#)),
        ("a header that is no object", with(r#""HS256""#)),
        ("a header with more behind it", with(r#"{"alg":"HS256"}{}"#)),
        ("a header that says something twice", with(r#"{"alg":"HS256","alg":"HS256"}"#)),
        ("a header with a type of its own", with(r#"{"alg":"HS256","typ":"JOSE"}"#)),
        ("a type that is no text", with(r#"{"alg":"HS256","typ":1}"#)),
        ("a name of a key that is no text", with(r#"{"alg":"HS256","kid":{"a":1}}"#)),
        ("critical extensions", with(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#)),
        ("critical extensions, empty", with(r#"{"alg":"HS256","crit":[]}"#)),
        ("a payload as it is", with(r#"{"alg":"HS256","b64":false}"#)),
        (
            "a token in a token",
            sealed(
                &format!(
                    "{}.{}",
                    BASE64.encode(r#"{"alg":"HS256","cty":"JWT"}"#),
                    BASE64.encode(&good)
                ),
                SECRET,
            ),
        ),
        ("a token for what it says", sealed(&format!("{header}.{}", BASE64.encode(&good)), SECRET)),
        ("encryption", with(r#"{"alg":"HS256","enc":"A128GCM"}"#)),
        ("no JSON", says("ada")),
        ("nothing said", says("{}")),
        ("a list", says(r#"[{"sub":"ada"}]"#)),
        ("no time of expiry", says(r#"{"sub":"ada"}"#)),
        ("a time that is null", says(r#"{"sub":"ada","exp":null}"#)),
        ("a time that is text", says(&format!(r#"{{"sub":"ada","exp":"{exp}"}}"#))),
        ("a time with a fraction", says(&format!(r#"{{"sub":"ada","exp":{exp}.5}}"#))),
        ("a time with an exponent", says(r#"{"sub":"ada","exp":2e9}"#)),
        ("a time beyond numbers", says(r#"{"sub":"ada","exp":1e400}"#)),
        ("a time beyond 64 bits", says(r#"{"sub":"ada","exp":99999999999999999999}"#)),
        ("a time beyond dates", says(&format!(r#"{{"sub":"ada","exp":{}}}"#, u64::MAX))),
        ("a time before all", says(r#"{"sub":"ada","exp":-1}"#)),
        ("a time that is infinite", says(r#"{"sub":"ada","exp":Infinity}"#)),
        ("a time that is true", says(r#"{"sub":"ada","exp":true}"#)),
        ("expired now", says(&format!(r#"{{"sub":"ada","exp":{NOW}}}"#))),
        ("not yet", says(&format!(r#"{{"sub":"ada","exp":{exp},"nbf":{}}}"#, NOW + 600))),
        ("a beginning that is text", says(&format!(r#"{{"sub":"ada","exp":{exp},"nbf":"0"}}"#))),
        ("an issue that is text", says(&format!(r#"{{"sub":"ada","exp":{exp},"iat":"0"}}"#))),
        ("two times", says(&format!(r#"{{"sub":"ada","exp":1,"exp":{exp}}}"#))),
        (
            "two names, one of them escaped",
            says(&format!(r#"{{"sub":"eve","s\u0075b":"ada","exp":{exp}}}"#)),
        ),
        (
            "a name twice, deep inside",
            says(&format!(r#"{{"sub":"ada","exp":{exp},"a":[{{"b":1,"b":2}}]}}"#)),
        ),
        ("depth without end", says(&format!(r#"{{"sub":"ada","exp":{exp},"a":{}}}"#, deep(1000)))),
        ("no name", says(&format!(r#"{{"exp":{exp}}}"#))),
        ("a name that is a list", says(&format!(r#"{{"sub":["ada"],"exp":{exp}}}"#))),
        ("a user whom no token may name", says(&format!(r#"{{"sub":"chief","exp":{exp}}}"#))),
        (
            "nobody, without what the template needs",
            says(&format!(r#"{{"sub":"bob","exp":{exp}}}"#)),
        ),
        (
            "a claim with a pattern",
            says(&format!(r#"{{"sub":"bob","tenant":"*","reads":"a","exp":{exp}}}"#)),
        ),
        (
            "a claim with rules",
            says(&format!(r#"{{"sub":"bob","tenant":"a ~*","reads":"a","exp":{exp}}}"#)),
        ),
        (
            "a claim that divides keys",
            says(&format!(r#"{{"sub":"bob","tenant":"a:b","reads":"a","exp":{exp}}}"#)),
        ),
        (
            "a claim that is a number",
            says(&format!(r#"{{"sub":"bob","tenant":1,"reads":"a","exp":{exp}}}"#)),
        ),
        (
            "a claim that is empty",
            says(&format!(r#"{{"sub":"bob","tenant":"","reads":"a","exp":{exp}}}"#)),
        ),
        (
            "a name with an end of line",
            says(&format!(r#"{{"sub":"a\nb","tenant":"a","reads":"a","exp":{exp}}}"#)),
        ),
        (
            "bytes that are no text",
            sealed(&format!("{header}.{}", BASE64.encode(b"{\"sub\":\"\xff\"}")), SECRET),
        ),
        ("very long", says(&format!(r#"{{"sub":"ada","exp":{exp},"a":"{}"}}"#, "x".repeat(9_000)))),
    ]
}

#[test]
fn tokens_that_are_wrong_in_any_known_way_are_wrong_passwords() {
    let router = router(rules());
    for (why, token) in bad() {
        let once = auth(&router, &token);
        assert_eq!(once.escape_ascii().to_string(), WRONG.escape_ascii().to_string(), "{why}");
        // As it is known to be wrong.
        assert_eq!(auth(&router, &token), WRONG, "{why}");
        let mut client = Client::of(&router);
        client.send(&[b"AUTH", b"ada", token.as_bytes()]);
        assert_eq!(client.send(&[b"GET", b"a"]), b"-NOAUTH Authentication required.\r\n", "{why}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = pair.public_key().as_ref();
    let keys = vec![TokenKey::new("EdDSA", None, &[BASE64.encode(public)]).unwrap()];
    let router = router(TokenRules { keys, ..rules() });
    let claims = format!(r#"{{"sub":"ada","exp":{}}}"#, NOW + 60);
    for alg in ["HS256", "EdDSA"] {
        let signed = encoded(&format!(r#"{{"alg":"{alg}"}}"#), &claims);
        assert_eq!(auth(&router, &sealed(&signed, public)), WRONG);
        let right = format!("{signed}.{}", BASE64.encode(pair.sign(signed.as_bytes())));
        assert_eq!(auth(&router, &right) == b"+OK\r\n", alg == "EdDSA");
    }
}

#[test]
fn keys_of_curves_verify_what_they_signed() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let parts = [BASE64.encode(&point[1..33]), BASE64.encode(&point[33..])];
    let keys = vec![key(OTHER, None), TokenKey::new("ES256", Some("a".into()), &parts).unwrap()];
    let router = router(TokenRules { keys, ..rules() });
    let claims = format!(r#"{{"sub":"ada","exp":{}}}"#, NOW + 60);
    for (kid, counts) in [("", true), (r#","kid":"a""#, true), (r#","kid":"b""#, false)] {
        let signed = encoded(&format!(r#"{{"alg":"ES256"{kid}}}"#), &claims);
        let signature = pair.sign(&random, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", BASE64.encode(signature));
        assert_eq!(auth(&router, &token) == b"+OK\r\n", counts, "{kid}");
    }
}

#[test]
fn the_issuer_the_audience_and_the_time_have_to_fit() {
    let strict = || TokenRules {
        issuer: Some("me".into()),
        audience: vec!["cache".into(), "store".into()],
        skew: 500,
        ..rules()
    };
    let router = router(strict());
    let says =
        |claims: &str| auth(&router, &token(HEADER, &format!(r#"{{"sub":"ada",{claims}}}"#)));
    let exp = NOW + 60;
    for (claims, counts) in [
        (format!(r#""iss":"me","aud":"cache","exp":{exp}"#), true),
        (format!(r#""iss":"me","aud":["other","store"],"exp":{exp}"#), true),
        (format!(r#""iss":"me","aud":"other","exp":{exp}"#), false),
        (format!(r#""iss":"me","aud":["cache",1],"exp":{exp}"#), false),
        (format!(r#""iss":"me","aud":[],"exp":{exp}"#), false),
        (format!(r#""iss":"me","exp":{exp}"#), false),
        (format!(r#""iss":"you","aud":"cache","exp":{exp}"#), false),
        (format!(r#""iss":["me"],"aud":"cache","exp":{exp}"#), false),
        (format!(r#""aud":"cache","exp":{exp}"#), false),
        (format!(r#""iss":"me","aud":"cache","exp":{}"#, NOW - 100), true),
        (format!(r#""iss":"me","aud":"cache","exp":{}"#, NOW - 500), false),
        (format!(r#""iss":"me","aud":"cache","exp":{exp},"nbf":{}"#, NOW + 500), true),
        (format!(r#""iss":"me","aud":"cache","exp":{exp},"nbf":{}"#, NOW + 900), false),
    ] {
        assert_eq!(says(&claims) == b"+OK\r\n", counts, "{claims}");
    }
}

#[test]
fn who_is_no_user_has_the_rules_that_the_claims_make() {
    let router = router(rules());
    let claims = format!(
        r#"{{"sub":"bob@example.com","tenant":"t1","reads":["t2","t3"],"exp":{}}}"#,
        NOW + 60
    );
    let mut client = Client::of(&router);
    assert_eq!(client.send(&[b"AUTH", token(HEADER, &claims).as_bytes()]), b"+OK\r\n");
    assert_eq!(client.send(&[b"ACL", b"WHOAMI"]), b"$15\r\nbob@example.com\r\n");
    let noperm = |said: &[u8]| said.starts_with(b"-NOPERM");
    for (words, may) in [
        (&[&b"SET"[..], b"t1:a", b"x"][..], true),
        (&[b"GET", b"t1:a"], true),
        (&[b"GET", b"t2:a"], true),
        (&[b"GET", b"t3:a"], true),
        (&[b"SET", b"t2:a", b"x"], false),
        (&[b"GET", b"t4:a"], false),
    ] {
        assert_eq!(noperm(&client.send(words)), !may, "{}", words.concat().escape_ascii());
    }
}

#[test]
fn what_is_known_of_a_token_ends_with_its_time() {
    let router = router(rules());
    let claims = format!(r#"{{"sub":"ada","nbf":{},"exp":{}}}"#, NOW + 600, NOW + 1800);
    let token = token(HEADER, &claims);
    for (at, counts) in [(0, false), (600, true), (1200, true), (1800, false), (600, true)] {
        let (said, _) = Client::of(&router).send_at(NOW + at, &[b"AUTH", token.as_bytes()]);
        assert_eq!(said == b"+OK\r\n", counts, "{at}");
    }
}

#[test]
fn a_connection_ends_with_its_token() {
    let router = router(rules());
    let mut client = Client::of(&router);
    let short = token(HEADER, &format!(r#"{{"sub":"ada","exp":{}}}"#, NOW + 600));
    assert_eq!(client.send(&[b"AUTH", short.as_bytes()]), b"+OK\r\n");
    assert_eq!(client.send_at(NOW + 540, &[b"PING"]), (b"+PONG\r\n".to_vec(), Next::Read));
    router.expire((NOW + 540) * 1000);
    assert!(router.is_connected(client.0.id()));
    // Whether anybody looks or not.
    assert_eq!(client.send_at(NOW + 600, &[b"PING"]), (vec![], Next::Close));

    let bell = router.mailbox(|| {});
    let mut idle = Client(Session::open_at(&router, Peer::default(), NOW * 1000, &bell).unwrap());
    let mut renewed =
        Client(Session::open_at(&router, Peer::default(), NOW * 1000, &bell).unwrap());
    for client in [&mut idle, &mut renewed] {
        assert_eq!(client.send(&[b"AUTH", short.as_bytes()]), b"+OK\r\n");
    }
    let long = token(HEADER, &format!(r#"{{"sub":"ada","exp":{}}}"#, NOW + 6000));
    assert_eq!(renewed.send(&[b"AUTH", long.as_bytes()]), b"+OK\r\n");
    idle.send(&[b"SUBSCRIBE", b"news"]);
    for at in 0..10 {
        router.expire((NOW + at * 60) * 1000);
        assert!(bell.take().is_empty() && router.is_connected(idle.0.id()), "{at}");
    }
    router.expire((NOW + 600) * 1000);
    let told = bell.take();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, idle.0.id());
    assert!(!idle.0.hear(&told[0].1, &mut vec![]));
    assert!(!router.is_connected(idle.0.id()) && router.is_connected(renewed.0.id()));
    router.expire((NOW + 6000) * 1000);
    assert_eq!(bell.take().len(), 1);
}

#[test]
fn other_rules_end_whose_token_they_do_not_take() {
    let all = |tokens| Rules { users: users(tokens), ..Rules::default() };
    let two = || vec![key(SECRET, Some("a")), key(OTHER, Some("b"))];
    let router = router(TokenRules { keys: two(), ..rules() });
    let header = |kid: &str| format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
    let says = |kid: &str, id: &str, secret: &[u8]| {
        let claims =
            format!(r#"{{"sub":"bob","tenant":"t","reads":"r","jti":"{id}","exp":{}}}"#, NOW + 60);
        sealed(&encoded(&header(kid), &claims), secret)
    };
    let mut clients: Vec<_> =
        [says("a", "1", SECRET), says("a", "2", SECRET), says("b", "3", OTHER)]
            .iter()
            .map(|token| {
                let mut client = Client::of(&router);
                assert_eq!(client.send(&[b"AUTH", token.as_bytes()]), b"+OK\r\n");
                client
            })
            .collect();
    let ids: Vec<_> = clients.iter().map(|client| client.0.id()).collect();
    let revoked = |id: &str| Some([id.to_owned()].into());
    let lost = |tokens| router.reload(all(tokens), NOW * 1000);
    assert!(lost(TokenRules { keys: two(), ..rules() }).is_empty());
    assert_eq!(lost(TokenRules { keys: two(), revoked: revoked("1"), ..rules() }), [ids[0]]);
    assert_eq!(clients[0].send_at(NOW, &[b"PING"]), (vec![], Next::Close));
    assert_eq!(auth(&router, &says("a", "1", SECRET)), WRONG);
    assert_eq!(auth(&router, &says("a", "4", SECRET)), b"+OK\r\n");
    // A token that has no name cannot be revoked.
    assert_eq!(auth(&router, &good()), WRONG);
    // A key that is gone takes its tokens with it, and the others stay.
    let one = vec![key(SECRET, Some("a"))];
    let lost = lost(TokenRules { keys: one, revoked: revoked("1"), ..rules() });
    assert!(lost.contains(&ids[2]) && !lost.contains(&ids[1]));
    assert_eq!(clients[1].send(&[b"PING"]), b"+PONG\r\n");
    // What the claims permit now counts at once.
    let template = Some(Template::parse("~{tenant}:* -@all +get").unwrap());
    router.reload(all(TokenRules { template, ..rules() }), NOW * 1000);
    assert!(clients[1].send(&[b"SET", b"t:1", b"x"]).starts_with(b"-NOPERM"));
    assert_eq!(clients[1].send(&[b"GET", b"t:1"]), b"$-1\r\n");
}

#[test]
fn a_template_is_rules_with_claims_in_their_patterns_only() {
    for good in ["~{a}:* +@all", "%R~{a}:* &{b}.* +get", "~x:{a} +@read", "~* +@all", ""] {
        assert!(Template::parse(good).is_ok(), "{good}");
    }
    for (bad, which) in [
        ("~{a:* +@all", "~{a:*"),
        ("~{}:*", "~{}:*"),
        ("~{a}{b}:*", "~{a}{b}:*"),
        ("+{a}", "+{a}"),
        ("~{a} +@reed", "+@reed"),
        ("nonsense", "nonsense"),
    ] {
        assert_eq!(Template::parse(bad).unwrap_err(), which);
    }
}

#[test]
fn a_key_that_is_too_short_is_none() {
    let key = |algorithm: &str, sizes: &[usize]| {
        let parts: Vec<_> = sizes.iter().map(|size| BASE64.encode(vec![1; *size])).collect();
        TokenKey::new(algorithm, None, &parts).is_ok()
    };
    assert!(key("HS256", &[32]) && key("RS256", &[256, 3]) && key("ES256", &[32, 32]));
    assert!(key("EdDSA", &[32]));
    assert!(!key("HS256", &[31]) && !key("RS256", &[128, 3]) && !key("ES256", &[31, 32]));
    assert!(!key("EdDSA", &[31]) && !key("none", &[]) && !key("HS512", &[64]));
}

proptest! {
    /// Whatever is sent, nobody gets in, and nothing breaks.
    #[test]
    fn nothing_made_up_is_a_token(bytes in prop::collection::vec(any::<u8>(), 0..200), dots in 0usize..5) {
        let router = router(rules());
        let mut password = b"ey".to_vec();
        password.extend(bytes);
        for at in 0..dots {
            password.insert(2 + at * 7 % password.len().saturating_sub(1).max(1), b'.');
        }
        prop_assert_eq!(Client::of(&router).send(&[b"AUTH", b"ada", &password]), WRONG);
    }

    /// A token that is changed anywhere is none.
    #[test]
    fn no_byte_of_a_token_may_change(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let router = router(rules());
        let mut token = good().into_bytes();
        let at = at.index(token.len());
        prop_assume!(token[at] != to);
        token[at] = to;
        prop_assert_eq!(Client::of(&router).send(&[b"AUTH", b"ada", &token]), WRONG);
    }

    /// Claims and headers of any JSON, signed by the right key: only a whole token gets in.
    #[test]
    fn signed_nonsense_does_no_harm(header in json(), claims in json()) {
        let router = router(rules());
        let said = auth(&router, &token(&header, &claims));
        prop_assert!(said == WRONG || said == b"+OK\r\n");
        let said = auth(&router, &token(HEADER, &claims));
        prop_assert!(said == WRONG || said == b"+OK\r\n");
    }
}

/// JSON that is much like that of tokens.
fn json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "alg", "typ", "kid", "crit", "sub", "exp", "nbf", "aud", "tenant", "reads",
    ]);
    let value = prop_oneof![
        Just("\"HS256\"".to_owned()),
        Just("\"ada\"".to_owned()),
        Just((NOW + 60).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        Just("[\"a\",\"b\"]".to_owned()),
        Just("{\"a\":{}}".to_owned()),
        Just("null".to_owned()),
        ".{0,8}".prop_map(|text| format!("{text:?}")),
    ];
    prop::collection::vec((name, value), 0..6).prop_map(|pairs| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", pairs.join(","))
    })
}
