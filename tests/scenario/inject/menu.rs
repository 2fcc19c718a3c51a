// SPDX-License-Identifier: BSD-2-Clause
// menu: threads that read it, and one that changes it, behind a RwLock.
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

static MENU: RwLock<u64> = RwLock::new(0);

fn work(micros: u64) -> u64 {
    let (end, mut n) = (Instant::now() + Duration::from_micros(micros), 0);
    while Instant::now() < end {
        n += 1;
    }
    n
}

#[inline(never)]
fn change_menu() {
    let mut menu = MENU.write().unwrap();
    *menu += work(3500);
}

#[inline(never)]
fn read_menu() -> u64 {
    let menu = MENU.read().unwrap();
    *menu + work(30)
}

fn main() {
    for _ in 0..6 {
        thread::spawn(|| loop {
            read_menu();
            thread::sleep(Duration::from_micros(500));
        });
    }
    loop {
        change_menu();
        thread::sleep(Duration::from_millis(1));
    }
}
