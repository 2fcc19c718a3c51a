#!/usr/bin/env ruby
# SPDX-License-Identifier: BSD-2-Clause
# cashier.rb monitor|mutex|queue: who enters a payment holds a lock while he waits on a clock: a Monitor, or a Mutex. Queue: well;
# they wait for payments on a condition variable, which they do within the lock.
require "monitor"

GUARD = ARGV[0] == "monitor" ? Monitor.new : Mutex.new
READY = ConditionVariable.new
PAYMENTS = []

def enter_payment
  GUARD.synchronize { sleep 0.006 }
end

def take_payment
  GUARD.synchronize do
    READY.wait(GUARD) while PAYMENTS.empty?
    PAYMENTS.shift
  end
end

def work
  File.write("/proc/thread-self/comm", "cashier")
  loop do
    ARGV[0] == "queue" ? take_payment : enter_payment
    (1..2000).sum
  end
end

File.write("/proc/self/comm", "cashier")
5.times { Thread.new { work } }
loop do
  sleep 0.003
  GUARD.synchronize { PAYMENTS << 1 and READY.signal } if ARGV[0] == "queue"
end
