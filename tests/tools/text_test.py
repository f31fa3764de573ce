"""Networks of characters, from a text to a text."""

import json

from program import ProgramTest, main, run, small_text

class TextTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text = small_text(cls.shared / "text.txt")
        cls.spoken = cls.shared / "spoken"
        done = run(*cls.learn(cls.spoken))
        assert done.returncode == 0, done.stderr
        cls.said = done.stdout

    @classmethod
    def learn(cls, out, *arguments, text=None, model="charlm", rule="odfa", epochs=2):
        return ("train", "--network", model, "--rule", rule, "--dataset", text or cls.text, "--epochs", epochs, "--samples",
                6000, "--batch-size", 4, "--quiet", "--out", out, *arguments)

    def test_what_a_run_holds(self):
        names = sorted(p.name for p in self.spoken.iterdir())
        self.assertEqual(names, ["checkpoint.safetensors", "config.json", "metrics.jsonl", "model.pt", "network.json",
                                 "vocabulary.txt"])
        vocabulary = (self.spoken / "vocabulary.txt").read_text(encoding="utf-8")
        self.assertEqual(vocabulary, "".join(sorted(set(self.text.read_text(encoding="utf-8")))))
        first, last = (json.loads(line) for line in (self.spoken / "metrics.jsonl").read_text().splitlines())
        self.assertEqual(last["metric"], "bits_per_character")
        self.assertLess(last["train_bits_per_character"], first["train_bits_per_character"])
        self.assertIn(f"test bits_per_character {last['test_bits_per_character']:.4f}", self.said)

    def test_evaluate_agrees_with_the_log(self):
        out = self.folder / "result.json"
        result = run("evaluate", self.spoken, "--json", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        last = json.loads((self.spoken / "metrics.jsonl").read_text().splitlines()[-1])
        found = json.loads(out.read_text())
        self.assertEqual(found["bits_per_character"], last["test_bits_per_character"])
        length = len(self.text.read_text(encoding="utf-8"))
        self.assertEqual(found["characters"], length - 9 * length // 10 - 1)

    def test_sample(self):
        one = run("sample", self.spoken, "--prompt", "the", "--length", 40)
        self.assertEqual(one.returncode, 0, one.stderr)
        self.assertEqual(len(one.stdout), 3 + 40 + 1)
        self.assertTrue(one.stdout.startswith("the"))
        self.assertEqual(run("sample", self.spoken, "--prompt", "the", "--length", 40).stdout, one.stdout)
        other = run("sample", self.spoken, "--prompt", "the", "--length", 40, "--seed", 1).stdout
        self.assertNotEqual(other, one.stdout)
        self.rejected("sample", self.spoken, "--prompt", "the Zebra", say=["prompt", "Z"])
        self.rejected("sample", self.spoken, "--prompt", "", say=["prompt"])
        self.rejected("sample", self.spoken, "--length", 0, say=["length"])
        self.rejected("sample", self.finished, say=["mnist-hybrid", "charlm"])

    def test_a_text_of_other_characters(self):
        folder, text = self.folder / "run", self.folder / "text.txt"
        text.write_text("abcdefg h" * 800)
        self.assertEqual(run(*self.learn(folder, text=text)).returncode, 0)
        said = run("sample", folder, "--length", 5)  # there is no line end to begin with
        self.assertEqual((said.returncode, len(said.stdout)), (0, 1 + 5 + 1), said.stderr)
        before = (folder / "checkpoint.safetensors").read_bytes()
        text.write_text("ijklmno p" * 800)
        self.rejected("evaluate", folder, say=["--dataset", "vocabulary.txt"])
        self.rejected(*self.learn(folder, "--resume", text=text), say=["--dataset", "vocabulary.txt"])
        self.assertEqual((folder / "checkpoint.safetensors").read_bytes(), before)

    def test_info_and_export(self):
        info = run("info", self.spoken).stdout
        self.assertIn("charlm, odfa", info)
        model = self.folder / "model.pt"
        self.assertEqual(run("export", self.spoken, "--out", model).returncode, 0)
        self.assertEqual(run("info", model).stdout, run("info", self.spoken / "model.pt").stdout)

    def test_every_rule_and_network(self):
        for model, rule in (("charlm", "bp"), ("charlm", "dfa-ternary"), ("charlm", "shallow"), ("charlm-micro", "dfa")):
            with self.subTest(f"{model} {rule}"):
                out = self.folder / f"{model}-{rule}"
                result = run(*self.learn(out, "--alignment", model=model, rule=rule, epochs=1))
                self.assertEqual(result.returncode, 0, result.stderr)
        self.rejected(*self.learn(self.folder / "no", rule="tpfp"), say=["--rule", "'bp'"])

    def test_wrong_texts(self):
        empty, latin, short = (self.folder / name for name in ("empty.txt", "latin.txt", "short.txt"))
        empty.write_bytes(b"")
        latin.write_bytes("naïve ".encode("latin-1") * 500)
        short.write_text("too short")
        out = self.folder / "out"
        for text, words in ((empty, ["empty"]), (latin, ["UTF-8"]), (short, ["validation"]),
                            (self.folder / "none.txt", ["none.txt"]), ("mnist", ["images"])):
            with self.subTest(str(text)):
                self.rejected(*self.learn(out, text=text), say=words)
                self.assertFalse(out.exists())
        self.rejected(*self.train(out, "--dataset", "tinyshakespeare"), say=["--dataset"])
        self.rejected(*self.train(out, "--matmul", "fast"), say=["--matmul", "medium"])
        self.assertFalse(out.exists())

    def test_a_damaged_vocabulary(self):
        copy = self.folder / "copy"
        copy.mkdir()
        for file in self.spoken.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / "vocabulary.txt").write_text("abc")
        self.rejected("sample", copy, "--prompt", "a", say=["3"])
        (copy / "vocabulary.txt").unlink()
        self.rejected("sample", copy, say=["vocabulary.txt"])


if __name__ == "__main__":
    main()
