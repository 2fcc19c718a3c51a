-- SPDX-License-Identifier: BSD-2-Clause
-- title: The whole machine stood still: its host stopped it, or it was suspended; at: since the recording's start
SELECT value AS length_ns, time_ns AS at_ns, iif(kind = 'pause.host', 'no CPU ran', 'suspended') AS what
FROM event WHERE kind IN ('pause.host', 'pause.suspend') ORDER BY value DESC;
