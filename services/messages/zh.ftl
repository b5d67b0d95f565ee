# 错误信息的中文文本。编号与变量须与 en.ftl 一致。

as-told = { $text }
