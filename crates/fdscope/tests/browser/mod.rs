//! A headless Chromium, driven over WebDriver (W3C) by plain HTTP: as much of it as the tests of pages need.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::common::DEADLINE;

/// What keeps Chromium from asking anybody for anything, and lets it run as root.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--window-size=1280,900",
];

/// A browser with one window.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one; says what is skipped where there is none.
    pub fn start() -> Option<Browser> {
        if !["chromium", "chromedriver"].iter().all(|program| fdscope_fixtures::in_path(program)) {
            println!("skipped: needs chromium and chromedriver");
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is in the path");
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("successfully on port ")?;
            rest.trim_end_matches('.').parse().ok()
        });
        // Or it stops when its pipe is full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let profile = tempfile::tempdir().expect("room for a folder");
        let port = port.unwrap_or(0);
        let mut browser = Browser { driver, port, session: String::new(), _profile: profile };
        match browser.open() {
            Ok(session) => browser.session = session,
            Err(why) => {
                println!("skipped: needs a chromium that starts: {why}");
                return None;
            }
        }
        // Its own first page is no business of the tests.
        browser.go("about:blank");
        browser.log("performance");
        Some(browser)
    }

    fn open(&self) -> Result<String, String> {
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", self._profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }}});
        let answer = self.ask("POST", "/session", Some(&wanted))?;
        let session = answer["sessionId"].as_str().ok_or("no session")?;
        Ok(session.to_owned())
    }

    /// One request, and the value that came.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let body = body.map_or_else(String::new, Value::to_string);
        let failed = |why: std::io::Error| format!("{method} {path}: {why}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(failed)?;
        stream.set_read_timeout(Some(DEADLINE)).map_err(failed)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).map_err(failed)?;
        let mut from = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while from.read_line(&mut line).map_err(failed)? > 2 {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| "no length".to_owned())?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        from.read_exact(&mut answer).map_err(failed)?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|why| why.to_string())?;
        let value = answer["value"].clone();
        match value.get("error") {
            Some(error) => Err(format!("{method} {path}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    fn command(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.ask(method, &path, body).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Opens a page and waits until it is loaded.
    pub fn go(&self, url: &str) {
        self.command("POST", "/url", Some(&json!({"url": url})));
    }

    /// Runs the body of a function in the page, and returns what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", Some(&json!({"script": script, "args": []})))
    }

    /// The same; the script ends by calling `done`.
    pub fn run_until_done(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.command("POST", "/execute/async", Some(&json!({"script": script, "args": []})))
    }

    /// The messages of a log since it was last asked for.
    pub fn log(&self, name: &str) -> Vec<String> {
        let log = self.command("POST", "/se/log", Some(&json!({"type": name})));
        let message = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        log.as_array().map(|log| log.iter().map(message).collect()).unwrap_or_default()
    }

    /// Every address that was asked for since the log was last asked for.
    pub fn requests(&self) -> Vec<String> {
        let url = |text: String| {
            let entry: Value = serde_json::from_str(&text).ok()?;
            let message = &entry["message"];
            (message["method"] == "Network.requestWillBeSent")
                .then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        };
        self.log("performance").into_iter().filter_map(url).collect()
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let press = |key: &&str| {
            let stroke = |kind| json!({"type": kind, "value": key});
            [stroke("keyDown"), stroke("keyUp")]
        };
        let actions: Vec<Value> = keys.iter().flat_map(press).collect();
        self.act(json!({"type": "key", "id": "keyboard", "actions": actions}));
    }

    /// Presses the mouse at a place of the window, moves it to another and lets go.
    pub fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        let go = |at: (f64, f64)| {
            let (x, y) = (at.0.round() as i64, at.1.round() as i64);
            json!({"type": "pointerMove", "duration": 0, "origin": "viewport", "x": x, "y": y})
        };
        let button = |kind| json!({"type": kind, "button": 0});
        let actions = [go(from), button("pointerDown"), go(to), button("pointerUp")];
        self.act(json!({"type": "pointer", "id": "mouse", "actions": actions}));
    }

    /// Clicks the middle of the first element that a selector finds, in sight or not.
    pub fn click(&self, selector: &str) {
        let (x, y, width, height) = self.place(selector);
        let middle = (x + width / 2.0, y + height / 2.0);
        self.drag(middle, middle);
    }

    /// Brings an element into sight, and tells where it is: left, top, width, height.
    pub fn place(&self, selector: &str) -> (f64, f64, f64, f64) {
        let script = format!(
            "const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]"
        );
        let place = self.run(&script);
        let at = |n: usize| place[n].as_f64().expect("a number");
        (at(0), at(1), at(2), at(3))
    }

    fn act(&self, device: Value) {
        self.command("POST", "/actions", Some(&json!({"actions": [device]})));
    }

    /// The page as it would be printed: a PDF in Base64.
    pub fn print(&self) -> String {
        let printed = self.command("POST", "/print", Some(&json!({})));
        printed.as_str().expect("a document").to_owned()
    }

    /// Writes what is in the window, where FDSCOPE_SCREENSHOTS names a folder to look at.
    pub fn shoot(&self, name: &str) {
        let Some(folder) = std::env::var_os("FDSCOPE_SCREENSHOTS") else { return };
        let image = self.command("GET", "/screenshot", None);
        let path = Path::new(&folder).join(format!("{name}.png.base64"));
        fs::write(path, image.as_str().unwrap_or_default()).expect("a folder to write to");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Takes the browser down, too.
            let _gone = self.ask("DELETE", &format!("/session/{}", self.session), None);
        }
        let _gone = self.driver.kill();
        let _gone = self.driver.wait();
    }
}
