// SPDX-License-Identifier: BSD-2-Clause
// Barrels: memory beside the heap, kept for ever.
import java.nio.ByteBuffer;
import java.util.ArrayList;

public class Barrels {
    static final ArrayList<ByteBuffer> cellar = new ArrayList<>();

    static void layDown() {
        ByteBuffer barrel = ByteBuffer.allocateDirect(1 << 20);
        for (int at = 0; at < barrel.capacity(); at += 512)
            barrel.put(at, (byte) 1);
        cellar.add(barrel);
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 320; i++)
            layDown();
        while (true) {
            layDown();
            Thread.sleep(40);
        }
    }
}
