// SPDX-License-Identifier: BSD-2-Clause
// Counter.java PORT: a thread for each connection answers each line after a little work.
import java.io.*;
import java.net.*;

public class Counter {
	static void serve(Socket customer) {
		try (BufferedReader in = new BufferedReader(new InputStreamReader(customer.getInputStream()));
				OutputStream out = customer.getOutputStream()) {
			while (in.readLine() != null) {
				StringBuilder receipt = new StringBuilder();
				for (int i = 0; i < 2000; i++)
					receipt.append(i);
				out.write(("total " + receipt.length() + "\n").getBytes());
			}
		} catch (IOException e) {
			System.err.println(e);
		}
	}

	public static void main(String[] args) throws IOException {
		ServerSocket door = new ServerSocket(Integer.parseInt(args[0]), 50, InetAddress.getByName("127.0.0.1"));
		while (true) {
			Socket customer = door.accept();
			new Thread(() -> serve(customer)).start();
		}
	}
}
