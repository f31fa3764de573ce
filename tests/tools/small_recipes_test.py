"""The recipes that need no data or little: xor, the memory of a step, projections, a text."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from program import DATA, main, run, small_text
from reproduced import KEYS, Checker


class SmallRecipesTest(unittest.TestCase):
    """Recipes that need no data: their figures are exact enough to be asked for."""

    def setUp(self):
        self.out = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.out)

    def reproduce(self, recipe, *arguments, pictures):
        result = run("reproduce", recipe, "--quick", "--out", self.out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = (self.out / "index.html").read_text()
        page = Checker(text)
        self.assertEqual(page.outside, [])
        if shutil.which("gnuplot"):
            self.assertEqual(len(page.pictures), pictures)
        rows = json.loads((self.out / f"{recipe}.json").read_text())["rows"]
        for row in rows:
            self.assertEqual(sorted(row), KEYS)
            self.assertIsNone(row["published"])
        self.assertEqual(len({row["system"] for row in rows}), len(rows))
        return rows, page

    def test_xor(self):
        rows, page = self.reproduce("xor", "--seeds", 10, pictures=9)
        solved = {row["system"]: row["measured"] for row in rows}
        self.assertEqual({row["seeds"] for row in rows}, {10})
        for row in rows:
            self.assertIn(row["system"], page.cells)
            self.assertAlmostEqual(10 * row["measured"], round(10 * row["measured"]), places=9)
            self.assertEqual(row["spread"], 0 if row["measured"] in (0, 1) else 1)
        for encoding in ("dual-rail", "phase"):
            for system in ("TPFP, difference", "TPFP, quadrature (an extension)", "BP"):
                self.assertEqual(solved[f"{system}, {encoding}"], 1, (system, encoding))
        # What must not work as well, or the task would be no task.
        self.assertLess(solved["frozen optics, dual-rail"], 0.5)
        self.assertLess(solved["TPFP, difference, dual-rail, fixed random F"], 0.6)
        self.assertLess(solved["TPFP, difference, dual-rail, s = 1"], 0.5)
        # The truth table of the gate that is shown: a, b, two intensities, y, the gate, a XOR b.
        at = page.cells.index("zeroth order, 2 coordinates, dual-rail") + 6
        gate = [page.cells[at + 7 * i : at + 7 * i + 7] for i in range(4)]
        for (a, b, plus, minus, y, says, exact), (left, right) in zip(gate, ((0, 0), (0, 1), (1, 0), (1, 1))):
            self.assertEqual((a, b, exact), (str(left), str(right), str(left ^ right)))
            self.assertEqual(says, exact)
            self.assertAlmostEqual(float(plus) - float(minus), float(y), delta=0.002)

    def test_free_space(self):
        rows, _ = self.reproduce("free-space", pictures=2)
        errors = {row["system"]: row["measured"] for row in rows}
        for system, error in errors.items():
            if system.startswith("cropped, white") or system.startswith("cropped, smooth"):
                self.assertLess(error, 5e-3, system)
        self.assertGreater(errors["plain, white field, 1.8 z_c"], 1)
        self.assertGreater(errors["Rayleigh-Sommerfeld, white field, 0.45 z_c"], .5)

    def test_xor_does_not_depend_on_threads(self):
        one, _ = self.reproduce("xor", "--seeds", 4, "--threads", 1, pictures=9)
        three, _ = self.reproduce("xor", "--seeds", 4, "--threads", 3, pictures=9)
        self.assertEqual(one, three)

    def test_memory(self):
        rows, _ = self.reproduce("tpfp-memory", pictures=3)
        measured = {row["system"]: row["measured"] for row in rows}
        self.assertEqual(len(rows), 4 * 2 * 3 + 4 * 3)
        activation = 512 * 256 * 4 / 2**20  # MiB of one layer's output

        def tensors(system, depth):
            return measured[f"{system}, depth {depth}, tensors, MiB"]

        # Not a byte more for 12 more layers, where the others keep at least one activation of each.
        self.assertEqual(tensors("TPFP, first pass repeated", 4), tensors("TPFP, first pass repeated", 16))
        self.assertEqual(measured["TPFP, first pass repeated, growth from 4 to 16 layers, tensors, %"], 0)
        for system, kept in (("BP by autograd", 1), ("DFA", 2), ("TPFP, first pass kept", 2)):
            grown = tensors(system, 16) - tensors(system, 4)
            self.assertAlmostEqual(grown, 12 * kept * activation, delta=activation / 2, msg=system)
        # What the system counts is a little more than what the tensors hold.
        for row in rows:
            if row["system"].endswith(", resident, MiB"):
                held = measured[row["system"].replace("resident", "tensors")]
                self.assertGreater(row["measured"], 0.9 * held, row)
                self.assertLess(row["measured"], held + 4, row)

    def quick(self, recipe, *arguments):
        """Rows of a smoke run by system, with figures of their own beyond those that every row has."""
        result = run("reproduce", recipe, "--quick", "--out", self.out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(Checker((self.out / "index.html").read_text()).outside, [])
        rows = json.loads((self.out / f"{recipe}.json").read_text())["rows"]
        for row in rows:
            self.assertTrue(set(KEYS) <= set(row) and row["agrees"], row)
        return {row["system"]: row for row in rows}

    def test_an_optical_processing_unit(self):
        rows = self.quick("opu")
        cosines = [rows[f"{photons} photons, continuous"]["measured"] for photons in (3, 30, 300, 3000)]
        self.assertEqual(cosines, sorted(cosines))
        self.assertGreater(cosines[-1], 0.999)
        for name, row in rows.items():
            if "photons" in name:
                self.assertAlmostEqual(row["measured"], row["cosine_of_noisy_model"], delta=0.02, msg=name)

    def test_projections(self):
        rows = self.quick("projection-scale")
        row = rows["signs, ternary, 3000 x 3000"]
        self.assertAlmostEqual(row["matrix_entries_per_second"] * row["measured"], 9e6, delta=1)

    def test_spectral_slicing(self):
        rows = self.quick("oss", "--data-root", DATA, "--sweeps", "bits")
        published = {"digital, 10": .986, "digital, 117-10": .991, "7 nodes, 10": .98, "7 nodes, 111-10": .986,
                     "3 nodes, 10": .959, "3 nodes, 80-10": .977}
        self.assertEqual({name: row["published"] for name, row in rows.items() if row["published"]}, published)
        self.assertEqual(sum(name.startswith("bits ") for name in rows), 5)
        self.assertGreater(rows["7 nodes, 111-10"]["measured"], .7)

    def test_a_character_model(self):
        data = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, data)
        (data / "tinyshakespeare").mkdir()
        small_text(data / "tinyshakespeare/input.txt", words=8000)
        rows = self.quick("odfa-charlm", "--data-root", data)
        self.assertEqual(rows["BP"]["gap_closed"], 1)
        self.assertEqual(rows["shallow"]["gap_closed"], 0)
        self.assertEqual(rows["bigrams"]["selection"], "counted")
        self.assertIn("ODFA, micro", rows)
        self.assertIn("<pre>", (self.out / "index.html").read_text())


if __name__ == "__main__":
    main()
