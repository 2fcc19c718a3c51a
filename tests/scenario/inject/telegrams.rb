#!/usr/bin/env ruby
# SPDX-License-Identifier: BSD-2-Clause
# telegrams.rb CLERKS: seven customers hand in telegrams, which so many clerks take from a queue and send, each in 30 ms.
require "socket"

def send_telegrams(queue)
  loop do
    customer = queue.pop
    sleep 0.03
    customer.write("sent\n")
  end
end

def take_in(customer, queue)
  queue << customer while customer.gets
end

def visit(port)
  office = TCPSocket.new("127.0.0.1", port)
  loop do
    office.write("to my aunt\n")
    office.gets or exit
    sleep 0.01
  end
end

server = TCPServer.new("127.0.0.1", 0)
port = server.addr[1]
fork do
  server.close
  File.write("/proc/self/comm", "customers")
  7.times.map { Thread.new { visit(port) } }.each(&:join)
end
File.write("/proc/self/comm", "telegraph")
queue = Queue.new
ARGV[0].to_i.times { Thread.new { send_telegrams(queue) } }
loop do
  customer = server.accept
  Thread.new { take_in(customer, queue) }
end
