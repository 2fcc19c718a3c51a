// SPDX-License-Identifier: BSD-2-Clause
// Goroutines that wait: for each other for ever, in several ways, or for a moment ("busy"). Prints a line when they do.
package main

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

type account struct {
	owner   string
	mu      sync.Mutex
	balance int
}

func transfer(from, to *account) {
	from.mu.Lock()
	defer from.mu.Unlock()
	time.Sleep(50 * time.Millisecond)
	to.mu.Lock()
	defer to.mu.Unlock()
	from.balance--
	to.balance++
}

func ledger() {
	a, b := &account{owner: "a"}, &account{owner: "b"}
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); transfer(a, b) }()
	go func() { defer both.Done(); transfer(b, a) }()
	both.Wait()
}

var stock, orders sync.Mutex
var count int

func reserve() {
	stock.Lock()
	time.Sleep(50 * time.Millisecond)
	orders.Lock()
	count++
	orders.Unlock()
	stock.Unlock()
}

func cancel() {
	orders.Lock()
	time.Sleep(50 * time.Millisecond)
	stock.Lock()
	count--
	stock.Unlock()
	orders.Unlock()
}

func globals() {
	done := make(chan bool)
	go func() { reserve(); done <- true }()
	go func() { cancel(); done <- true }()
	<-done
}

type cache struct {
	entries map[int]int
	table   sync.RWMutex
	log     sync.Mutex
}

func (c *cache) reload() {
	c.table.Lock()
	time.Sleep(50 * time.Millisecond)
	c.log.Lock()
	c.entries[1] = 1
	c.log.Unlock()
	c.table.Unlock()
}

func (c *cache) report() {
	c.log.Lock()
	defer c.log.Unlock()
	time.Sleep(50 * time.Millisecond)
	c.table.RLock()
	defer c.table.RUnlock()
	c.entries[2]++
}

func rwlock() {
	c := &cache{entries: map[int]int{}}
	go c.reload()
	c.report()
}

func move(a, b *account, i int) {
	a.mu.Lock()
	b.mu.Lock()
	a.balance--
	b.balance++
	if i%16 == 0 {
		time.Sleep(2 * time.Millisecond)
	}
	b.mu.Unlock()
	a.mu.Unlock()
}

func only(a *account, i int) {
	a.mu.Lock()
	for k := 0; k < 100000; k++ {
		a.balance += k * i
	}
	a.mu.Unlock()
}

func busy() {
	a, b := &account{}, &account{}
	for g := 0; g < 8; g++ {
		for _, work := range []func(int){func(i int) { move(a, b, i) }, func(i int) { only(a, i) }, func(i int) { only(b, i) }} {
			work := work
			go func() {
				for i := 0; ; i++ {
					work(i)
				}
			}()
		}
	}
	select {}
}

func main() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go listener.Accept() // so that the runtime sees that somebody may come
	orders := make(chan int)
	for i := 0; i < 5; i++ {
		go func() { <-orders }()
	}
	work := map[string]func(){"ledger": ledger, "globals": globals, "rwlock": rwlock, "busy": busy}[os.Args[1]]
	go work()
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready")
	select {}
}
