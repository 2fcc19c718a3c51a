// SPDX-License-Identifier: BSD-2-Clause
// pricelist: goroutines that read prices, and one that changes them, behind a sync.RWMutex.
package main

import (
	"sync"
	"time"
)

var prices sync.RWMutex

func work(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

//go:noinline
func changePrices() {
	prices.Lock()
	work(4 * time.Millisecond)
	prices.Unlock()
}

//go:noinline
func readPrice() {
	prices.RLock()
	work(10 * time.Microsecond)
	prices.RUnlock()
}

func main() {
	for i := 0; i < 8; i++ {
		go func() {
			for {
				readPrice()
				time.Sleep(500 * time.Microsecond)
			}
		}()
	}
	for {
		changePrices()
		time.Sleep(time.Millisecond)
	}
}
