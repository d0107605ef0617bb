"""Names of people, places and things, all made up.

Mail addresses end in example.com, example.org or example.net (RFC 2606); telephone numbers carry
the unassigned prefix 000 after the country code, so that none of them can ring.
"""

from __future__ import annotations

SURNAMES = (
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭",
    "何", "林", "高", "罗", "郑", "梁", "谢", "宋", "唐", "许", "邓", "冯", "韩", "曹", "曾", "彭",
    "蕭", "蔡", "潘", "田", "董", "袁", "于", "余", "葉", "蔣", "杜", "蘇", "魏", "程", "呂", "丁",
)  # fmt: skip
GIVEN_NAMES = (
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇",
    "艳", "杰", "娟", "涛", "明", "超", "秀英", "霞", "平", "刚", "桂英",
    "文", "辉", "鑫", "建华", "志强", "嘉怡", "俊杰", "梓涵", "雨桐", "子轩", "欣怡",
    "家豪", "淑芬", "雅婷", "宗翰", "怡君", "志明", "美玲", "浩然", "思远",
)  # fmt: skip
LATIN_SURNAMES = (
    "wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "wu", "zhou", "xu",
    "sun", "ma", "zhu", "hu", "guo", "he", "lin", "gao", "luo", "zheng", "liang",
    "xie", "song", "tang", "xu", "deng", "feng", "han", "cao", "zeng", "peng", "xiao",
    "cai", "pan", "tian", "dong", "yuan", "yu", "yu", "ye", "jiang", "du", "su",
    "wei", "cheng", "lu", "ding",
)  # fmt: skip
WESTERN_SURNAMES = (
    "Smith", "Jones", "Miller", "Garcia", "Martin", "Brown", "Wilson", "Müller", "Rossi", "Novak",
    "Silva", "Kim", "Tan", "Wong", "Chan", "Lee", "Ng", "O'Brien", "Andersen", "Dubois",
)  # fmt: skip
WESTERN_GIVEN_NAMES = (
    "Anna", "Peter", "Mary", "David", "Emma", "John", "Sophie", "Michael", "Laura", "Daniel",
    "Grace", "Kevin", "Julia", "Tony", "Carmen", "Eric", "Vivian", "Jason", "Karen", "Simon",
)  # fmt: skip
COMPANY_WORDS = (
    "恒通", "华盛", "金源", "东方", "宏达", "瑞丰", "天成", "鼎新", "远航", "博大", "中兴泰",
    "联创", "海川", "永信", "百川", "启明", "盛世", "嘉利", "宝来", "新纪元", "長榮達", "永豐源",
    "鴻圖", "大正",
)  # fmt: skip
COMPANY_KINDS = (
    "物流",
    "机械",
    "贸易",
    "建设",
    "食品",
    "电子",
    "汽车租赁",
    "农业",
    "印刷",
    "酒店用品",
)
COMPANY_FORMS = ("有限公司", "有限公司", "股份有限公司", "集团")
INDUSTRIES = (
    "logistics", "machinery", "trade", "construction", "food", "electronics", "car_rental",
    "agriculture", "printing", "hospitality",
)  # fmt: skip
MAIL_DOMAINS = ("example.com", "example.org", "example.net")

JOB_TITLES = (
    "采购经理", "总经理", "车队主管", "设备主管", "行政", "Owner", "Purchasing Manager",
    "Fleet Manager",
)  # fmt: skip
CONTACT_ROLES = ("decision_maker", "buyer", "user", "finance")

# Region, its share of customers, its cities, country.
REGIONS = (
    ("广东", 0.24, ("深圳", "广州", "东莞", "佛山"), "CN"),
    ("上海", 0.15, ("上海",), "CN"),
    ("江苏", 0.12, ("苏州", "南京", "无锡"), "CN"),
    ("浙江", 0.11, ("杭州", "宁波", "温州"), "CN"),
    ("北京", 0.11, ("北京",), "CN"),
    ("四川", 0.09, ("成都", "绵阳"), "CN"),
    ("香港", 0.10, ("香港",), "HK"),
    ("台湾", 0.08, ("台北", "台中", "高雄"), "TW"),
)

# Category: share of retail lines, median price, share of the price that it costs, words of its
# products.
CATEGORIES = (
    ("consumables", 0.26, 38.0, 0.52, ("机油", "滤芯", "润滑脂", "清洗剂", "冷却液", "玻璃水")),
    ("parts", 0.18, 120.0, 0.56, ("刹车片", "轮胎", "蓄电池", "火花塞", "皮带", "轴承")),
    ("tools", 0.12, 165.0, 0.58, ("扳手组", "电钻", "千斤顶", "测量仪", "工具箱")),
    ("electronics", 0.12, 260.0, 0.66, ("行车记录仪", "导航仪", "充电器", "传感器", "对讲机")),
    ("accessories", 0.16, 55.0, 0.45, ("座垫", "脚垫", "手机支架", "收纳箱", "遮阳挡")),
    ("safety", 0.09, 70.0, 0.50, ("安全帽", "手套", "灭火器", "反光背心", "急救包")),
    ("cleaning", 0.07, 28.0, 0.48, ("洗车液", "毛巾", "蜡", "吸尘器", "除味剂")),
)
# Service: name, category, price, cost share, interval in days.
SERVICES = (
    ("小保养", "vehicle_service", 320.0, 0.55, 180),
    ("大保养", "vehicle_service", 780.0, 0.57, 365),
    ("车辆检测", "vehicle_service", 180.0, 0.40, 180),
    ("设备巡检", "machine_service", 650.0, 0.50, 90),
    ("设备保养", "machine_service", 1250.0, 0.54, 180),
    ("年度大修", "machine_service", 3800.0, 0.60, 365),
)
COMPETITORS = ("途捷养车", "驰安快修", "万邦机电", "优配商城", "AutoPlus", "MachineCare")

ACQUISITION_CHANNELS = ("search", "store", "referral", "exhibition", "social", "sales_call")
CONTACT_CHANNELS = ("email", "sms", "phone", "wechat")
COURSES = ("首保须知", "设备操作入门", "安全驾驶", "日常保养课堂", "Fleet cost basics")
COMMUNITY_KINDS = ("post", "answer", "event_attended", "review", "share")
USAGE_KINDS = ("app_session", "shop_visit", "telematics_report")
